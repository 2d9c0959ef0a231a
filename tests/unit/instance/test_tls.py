"""From a conf to the certificate that a client gets."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from skitaid.config.load import load_all
from skitaid.config.model import Instance
from skitaid.engine.tls import TlsServer
from skitaid.exceptions import ConfError
from skitaid.instance.tls import certificate_files, make_tls
from tests.certificates import make

CONF = """
[server]
port = 5000
ssl = yes
{server}
{more}
[routes:line]
/ = pub
: a.example www.a.example
/ = pub
: .b.example
/ = pub
: c.example
/ = pub
"""
HOSTS = "[a.example]\ncertfile = a.pem\nkeyfile = a.key\n[.b.example]\ncertfile = b.pem\nkeyfile = b.key\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "servers-enabled" / "pub").mkdir(parents=True)
    (tmp_path / "cert").mkdir()
    for name, hosts in {"a": ("a.example", "www.a.example"), "b": ("*.b.example", "b.example"), "s": ("s",)}.items():
        make(*hosts).write(tmp_path / "cert", name)
    return tmp_path


def instance_of(etc: Path, *, server: str = "certfile = s.pem\nkeyfile = s.key", more: str = HOSTS) -> Instance:
    (etc / "servers-enabled" / "site.conf").write_text(CONF.format(server=server, more=more))
    return load_all(etc, is_root=False).instances["site"]


def subject(server: TlsServer, name: str | None) -> str:
    """Of the certificate that a client gets who asks for `name`."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = context.wrap_bio(client_in, client_out, server_hostname=name)
    near = server.context.wrap_bio(server_in, server_out, server_side=True)
    for _ in range(4):
        for end in (client, near):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
            server_in.write(client_out.read())
            client_in.write(server_out.read())
    der = client.getpeercert(binary_form=True)
    assert der is not None
    from cryptography import x509

    return x509.load_der_x509_certificate(der).subject.rfc4514_string().partition(",")[0]


@pytest.mark.parametrize(("name", "common_name"), [
    ("a.example", "a.example"), ("www.a.example", "a.example"), ("WWW.A.example", "a.example"),
    ("x.b.example", "*.b.example"), ("b.example", "*.b.example"),
    ("c.example", "s"), ("other.example", "s"), (None, "s"),
])  # fmt: skip
def test_each_host_has_its_certificate(etc: Path, name: str | None, common_name: str) -> None:
    assert subject(make_tls(instance_of(etc)), name) == f"CN={common_name}"


def test_without_one_of_the_server_s_the_first_is_shown(etc: Path) -> None:
    security = make_tls(instance_of(etc, server=""))
    assert subject(security, None) == "CN=a.example"
    assert subject(security, "x.b.example") == "CN=*.b.example"


@pytest.mark.parametrize(("client_cert", "mode"), [("required", ssl.CERT_REQUIRED), ("optional", ssl.CERT_OPTIONAL)])
def test_clients_are_asked_for_certificates(etc: Path, client_cert: str, mode: ssl.VerifyMode) -> None:
    server = f"certfile = s.pem\nkeyfile = s.key\nclient_ca = a.pem\nclient_cert = {client_cert}"
    security = make_tls(instance_of(etc, server=server))
    assert security.asks_for_certificates
    assert security.context.verify_mode is mode


def test_what_is_read_is_known(etc: Path) -> None:
    found = {path.name for path in certificate_files(instance_of(etc))}
    assert found == {"s.pem", "s.key", "a.pem", "a.key", "b.pem", "b.key"}


def test_a_certificate_that_broke_since_is_told(etc: Path) -> None:
    instance = instance_of(etc)
    (etc / "cert" / "b.key").write_bytes((etc / "cert" / "a.key").read_bytes())
    with pytest.raises(ConfError, match="does not belong"):
        make_tls(instance)
