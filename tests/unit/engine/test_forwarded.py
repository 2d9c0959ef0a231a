from __future__ import annotations

from dataclasses import dataclass

import pytest

from skitaid.engine import forwarded
from skitaid.engine.forwarded import Forwarded, read_forwarded
from skitaid.engine.trust import TrustedPeers
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import parse_block

TRUSTED = TrustedPeers(("10.0.0.0/8", "2001:db8:1::/48"))
CLIENT = "203.0.113.7"


def read(*lines: str) -> Forwarded:
    """What is made of a request of a trusted peer."""
    return read_forwarded(parse_block("\r\n".join(("Host: inner", *lines)).encode("latin-1")), TRUSTED)


def client_of(*lines: str) -> tuple[str, str] | None:
    return read(*lines).client


# ---------------------------------------------------------------- who asked


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (CLIENT, (CLIENT, "")),
        (f"{CLIENT}:4711", (CLIENT, "4711")),
        (f"6.6.6.6, {CLIENT}", (CLIENT, "")),
        (f"6.6.6.6, {CLIENT}, 10.0.0.2", (CLIENT, "")),
        (f"10.0.0.9, {CLIENT}, 10.0.0.2, 10.1.1.1", (CLIENT, "")),
        (f"garbage, {CLIENT}", (CLIENT, "")),
        (f"127.0.0.1, {CLIENT} ", (CLIENT, "")),
        ("10.0.0.3, 10.0.0.2", ("10.0.0.3", "")),
        ("10.0.0.3", ("10.0.0.3", "")),
        ("2001:DB8::7", ("2001:db8::7", "")),
        ("[2001:db8::7]:99", ("2001:db8::7", "99")),
        ("2001:db8::7, 2001:db8:1::5", ("2001:db8::7", "")),
        (f"::ffff:{CLIENT}", (CLIENT, "")),
        (f"{CLIENT}, ::ffff:10.0.0.2", (CLIENT, "")),
        ("unknown", None),
        ("6.6.6.6, unknown", None),
        ("6.6.6.6, unknown, 10.0.0.2", ("10.0.0.2", "")),
        ("garbage", None),
        ("localhost", None),
        ("", None),
        (" , ,", None),
        (f", {CLIENT},,", (CLIENT, "")),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(value: str, client: tuple[str, str] | None) -> None:
    """None: all that is known is the peer itself."""
    assert client_of(f"X-Forwarded-For: {value}") == client


def test_repeated_fields_are_one_list() -> None:
    assert client_of("X-Forwarded-For: 6.6.6.6", f"X-Forwarded-For: {CLIENT}", "X-Forwarded-For: 10.0.0.2") == (
        CLIENT, ""
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (f"for={CLIENT}", (CLIENT, "")),
        (f'for="{CLIENT}:4711"', (CLIENT, "4711")),
        ('for="[2001:db8::7]:99"', ("2001:db8::7", "99")),
        (f"for=6.6.6.6, for={CLIENT};proto=https, for=10.0.0.2", (CLIENT, "")),
        ("for=_hidden", None),
        ("for=unknown, for=10.0.0.2", ("10.0.0.2", "")),
        ("proto=https", None),
        ("", None),
    ],
)
def test_forwarded_is_walked_likewise(value: str, client: tuple[str, str] | None) -> None:
    """RFC 7239."""
    assert client_of(f"Forwarded: {value}") == client


def test_who_says_nothing_about_a_client_is_the_client() -> None:
    assert client_of("X-Gtxn-Id: a") is None
    assert client_of("X-Forwarded-Proto: https") is None
    assert client_of("X-Real-IP: 203.0.113.7") is None


def test_a_forwarded_beside_x_forwarded_is_the_clients_invention() -> None:
    """Most proxies write X-Forwarded-* and pass on a Forwarded as it came."""
    for line in (f"X-Forwarded-For: {CLIENT}", "X-Forwarded-Proto: http", "X-Forwarded-Host: example.com"):
        found = read("Forwarded: for=6.6.6.6;proto=https;host=evil", line)
        assert (found.client or ("",))[0] != "6.6.6.6"
        assert found.scheme in ("", "http")
        assert found.fields.host != b"evil"
        assert "HTTP_FORWARDED" not in found.fields.environ


def test_a_forwarded_that_can_be_read_in_two_ways_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        read(f'Forwarded: for="6.6.6.6, for={CLIENT}')
    assert caught.value.status == 400


# ---------------------------------------------------------------- scheme and host


@pytest.mark.parametrize(
    ("line", "scheme"),
    [
        ("X-Forwarded-Proto: https", "https"),
        ("X-Forwarded-Proto: HTTPS", "https"),
        ("X-Forwarded-Proto: http", "http"),
        ("X-Forwarded-Proto: wss", "https"),
        ("X-Forwarded-Proto: ws", "http"),
        ("X-Forwarded-Proto: https, http", "http"),
        ("X-Forwarded-Proto: http, https", "https"),
        ("X-Forwarded-Proto: gopher", ""),
        ("X-Forwarded-Proto:", ""),
        (f"Forwarded: for={CLIENT};proto=https", "https"),
        ("Forwarded: proto=https", "https"),
        ("Forwarded: for=unknown;proto=https", "https"),
        (f"Forwarded: for=6.6.6.6;proto=https, for={CLIENT}", ""),
        (f"Forwarded: for={CLIENT};proto=https, for=10.0.0.2;proto=http", "https"),
    ],
)
def test_the_scheme_is_what_the_proxy_saw(line: str, scheme: str) -> None:
    assert read(line).scheme == scheme


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("X-Forwarded-Host: example.com", "example.com"),
        ("X-Forwarded-Host: example.com:8443", "example.com:8443"),
        ("X-Forwarded-Host: [2001:db8::1]:80", "[2001:db8::1]:80"),
        ("X-Forwarded-Host: evil, example.com", "example.com"),
        ("X-Forwarded-Host: not a host", "inner"),
        ("X-Forwarded-Host:", "inner"),
        (f"Forwarded: for={CLIENT};host=example.com", "example.com"),
        ('Forwarded: host="example.com:8443"', "example.com:8443"),
        (f"Forwarded: for=6.6.6.6;host=evil, for={CLIENT}", "inner"),
    ],
)
def test_the_host_is_what_the_client_asked_for(line: str, host: str) -> None:
    fields = read(line).fields
    assert fields.host == host.encode()
    assert fields.environ["HTTP_HOST"] == host
    assert [value for name, value in fields.pairs if name == b"host"] == [host.encode()]


def test_a_target_that_names_a_host_goes_before_what_a_proxy_says() -> None:
    """RFC 9112 section 3.2.2."""
    block = parse_block(b"Host: inner\r\nX-Forwarded-Host: example.com")
    found = read_forwarded(block, TRUSTED, may_move=False)
    assert found.fields.environ == {"HTTP_HOST": "inner"}


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["X-Gtxn-Id: GTID-C1-R2", "X-Ltxn-Id: 2001"], ("GTID-C1-R2", "2001")),
        (["X-Gtxn-Id: GTID-C1-R2"], ("GTID-C1-R2", "1000")),
        (["X-Gtxn-Id: GTID-C1-R2", "X-Ltxn-Id: x"], ("GTID-C1-R2", "1000")),
        (["X-Ltxn-Id: 2001"], (None, "1000")),
        (["X-Gtxn-Id: a b", "X-Ltxn-Id: 2001"], (None, "1000")),
        (["X-Gtxn-Id: a", "X-Gtxn-Id: b", "X-Ltxn-Id: 2001"], (None, "1000")),
        (["X-Gtxn-Id:"], (None, "1000")),
        (["X_Gtxn_Id: GTID-C1-R2"], (None, "1000")),
    ],
)
def test_ids_of_a_trusted_peer_are_taken(lines: list[str], expected: tuple[str | None, str]) -> None:
    found = read(*lines)
    assert (found.gtxnid, found.ltxnid) == expected
    # They are given to apps beside the fields, always.
    assert found.fields.environ == {"HTTP_HOST": "inner"}


# ---------------------------------------------------------------- what apps see


@dataclass(frozen=True)
class Shown:
    lines: tuple[str, ...]
    environ: dict[str, str]


@pytest.mark.parametrize(
    "shown",
    [
        Shown(
            (f"X-Forwarded-For: 6.6.6.6, {CLIENT}, 10.0.0.2", "X-Real-IP: 6.6.6.6", "Accept: */*"),
            {"HTTP_X_FORWARDED_FOR": f"{CLIENT}, 10.0.0.2", "HTTP_X_REAL_IP": CLIENT, "HTTP_ACCEPT": "*/*"},
        ),
        Shown(
            ("X-Forwarded-For: 6.6.6.6", f"X-Forwarded-For: {CLIENT}", "Forwarded: for=6.6.6.6"),
            {"HTTP_X_FORWARDED_FOR": CLIENT},
        ),
        Shown(
            ("X-Forwarded-Proto: https, http", "X-Forwarded-Host: evil, example.com", "X-Forwarded-Port: 443"),
            {
                "HTTP_X_FORWARDED_PROTO": "http", "HTTP_X_FORWARDED_HOST": "example.com",
                "HTTP_X_FORWARDED_PORT": "443", "HTTP_HOST": "example.com",
            },
        ),
        Shown(
            (f"Forwarded: for=6.6.6.6, for={CLIENT};proto=https, for=10.0.0.2",),
            {"HTTP_FORWARDED": f"for={CLIENT};proto=https, for=10.0.0.2"},
        ),
        Shown(("X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b"), {}),
        Shown(("X_Forwarded_For: 6.6.6.6", "X-Forwarded-Po_rt: 1", f"X-Forwarded-For: {CLIENT}"),
              {"HTTP_X_FORWARDED_FOR": CLIENT}),
        Shown(("X-Real-IP: 203.0.113.7",), {"HTTP_X_REAL_IP": "203.0.113.7"}),
    ],
)  # fmt: skip
def test_apps_see_what_is_believed_and_nothing_else(shown: Shown) -> None:
    fields = read(*shown.lines).fields
    assert fields.environ == {"HTTP_HOST": "inner", **shown.environ}
    keys = {"HTTP_" + name.decode().upper().replace("-", "_"): value.decode() for name, value in fields.pairs}
    assert keys == fields.environ


def test_the_log_shows_x_forwarded_for_as_it_came() -> None:
    fields = read(f"X-Forwarded-For: 6.6.6.6, {CLIENT}", "X-Forwarded-Host: example.com").fields
    assert fields.log_fields[0] == "example.com"
    assert fields.log_fields[-1] == f"6.6.6.6, {CLIENT}"


def test_what_the_fields_say_about_framing_stays() -> None:
    block = read_forwarded(parse_block(
        b"Host: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n"
        b"X-Forwarded-For: 203.0.113.7"
    ), TRUSTED).fields  # fmt: skip
    assert (block.content_length, block.expects_continue, block.wants_close, block.upgrade) == (5, True, True, b"h2c")


def test_what_is_kept_of_clients_is_bounded() -> None:
    for number in range(2000):
        address = f"203.0.{number // 256}.{number % 256}"
        assert read(f"X-Forwarded-For: {address}").fields.environ["HTTP_X_FORWARDED_FOR"] == address
    assert len(forwarded._LINES) <= 512
