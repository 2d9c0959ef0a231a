from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.config.addresses import bind_address, host_name, is_host, network, parse_listen, peer
from skitaid.config.document import Value
from skitaid.config.fields import Place, convert
from skitaid.config.model import Listen, Origin
from skitaid.config.report import UnfitError

PLACE = Place("x.conf", Path("/srv/etc"), Path("/srv/cert"))


@pytest.mark.parametrize(
    ("item", "listen"),
    [
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        ("localhost:80", Listen("localhost", 80)),
        (":80", Listen("", 80)),
        ("*:80", Listen("", 80)),
        ("0.0.0.0:80", Listen("", 80)),
        ("80", Listen("", 80)),
        ("127.0.0.1:0", Listen("127.0.0.1", 0)),
        ("[::]:80", Listen("::", 80)),
        ("[::1]:80", Listen("::1", 80)),
        ("unix:/run/x.sock", Listen("", 0, "/run/x.sock")),
        ("unix:../x.sock", Listen("", 0, "/srv/x.sock")),
    ],
)
def test_listen(item: str, listen: Listen) -> None:
    found = parse_listen(item, PLACE, Origin("x.conf", 3))
    assert found == listen
    assert found.origin == Origin("x.conf", 3)
    assert parse_listen(str(found), PLACE, Origin()) == listen


@pytest.mark.parametrize(
    "item", ["127.0.0.1", "a b:80", "127.0.0.1:65536", "::1", "[::1]", "[1.2.3:80", "/x", "1.2:80", "unix:", "unix:/"]
)
def test_no_listen(item: str) -> None:
    with pytest.raises(UnfitError):
        parse_listen(item, PLACE, Origin())


@pytest.mark.parametrize(("text", "host"), [("", ""), ("*", ""), ("[::1]", "::1"), ("10.0.0.1", "10.0.0.1")])
def test_ip(text: str, host: str) -> None:
    assert convert(bind_address(), Value(text, (), 1), PLACE) == host


@pytest.mark.parametrize("host", ["example.com", "a", "a-b.example", "127.0.0.1", "::1", "under_score.local", "x."])
def test_host(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", ["", ".", "-a.example", "a..b", "300.1.1.1", "a b", "a" * 64, "a/b", "[::1]"])
def test_no_host(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("WWW.Example.com", "www.example.com"),
        (".example.com", ".example.com"),
        ("example.com.", "example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        (".m\u00fcnchen.example", ".xn--mnchen-3ya.example"),
    ],
)
def test_host_name(text: str, name: str) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize("text", ["*.example.com", "a:80", "http://a", "a/b", ".", "..a", "a_!", "\u00fc" * 70])
def test_no_host_name(text: str) -> None:
    with pytest.raises(UnfitError):
        host_name(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.168.1/24", "192.168.1.0/24"),
        ("10/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("fe80::/10", "fe80::/10"),
    ],
)
def test_network(text: str, found: str) -> None:
    assert network(text) == found


@pytest.mark.parametrize(("text", "found"), [("unix", "unix"), ("Unix", "unix"), ("10/8", "10.0.0.0/8")])
def test_peer(text: str, found: str) -> None:
    assert peer(text) == found


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "", "192.168.1", "1.2.3.4.5", "unix"])
def test_no_network(text: str) -> None:
    with pytest.raises(UnfitError):
        network(text)
