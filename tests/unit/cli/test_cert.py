"""cert: what is installed, and a certificate for a first start."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest

from skitaid.cli import cert
from skitaid.cli.options import parse
from skitaid.cli.session import Session
from skitaid.config.load import load_all
from skitaid.config.x509 import read_certificates
from skitaid.exceptions import RefusedError
from tests.certificates import make, meet

ROUTES = "[routes:line]\n/ = pub\n: www.example.com\n/ = pub\n: .example.org\n/ = pub\n"
PLAIN = "[server]\nport = 5000\n"
SECURE = f"{PLAIN}ssl = yes\ncertfile = a.pem\nkeyfile = a.key\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "servers-enabled" / "pub").mkdir(parents=True)
    return tmp_path


def write(etc: Path, text: str) -> None:
    (etc / "servers-enabled" / "site.conf").write_text(text + ROUTES)


def run(etc: Path, *words: str) -> int:
    return cert.run(Session(parse([*words, "cert"]), etc))


@pytest.fixture(params=["cryptography", "openssl"])
def maker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "openssl":
        # As if the package were not installed.
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    return str(request.param)


@pytest.mark.usefixtures("maker")
def test_what_is_made_can_be_served(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(etc, SECURE)
    assert load_all(etc, is_root=False).failures
    assert run(etc, "-f", "site") == 0
    loaded = load_all(etc, is_root=False)
    assert loaded.problems == ()
    [facts] = read_certificates((etc / "cert" / "a.pem").read_bytes())
    assert {"www.example.com", "example.org", "*.example.org", "localhost", "127.0.0.1", "::1"} <= set(facts.names)
    assert (etc / "cert" / "a.key").stat().st_mode & 0o777 == 0o600
    assert "made" in capsys.readouterr().out
    # Another time it is shown, not made anew.
    before = (etc / "cert" / "a.pem").read_bytes()
    assert run(etc, "-f", "site") == 0
    assert "364 days" in capsys.readouterr().out
    assert (etc / "cert" / "a.pem").read_bytes() == before


@pytest.mark.usefixtures("maker")
def test_a_key_beside_the_certificate_and_a_passphrase(etc: Path) -> None:
    write(etc, f"{PLAIN}ssl = yes\ncertfile = both.pem\npassphrase = sesame\n")
    assert run(etc, "-f", "site") == 0
    assert load_all(etc, is_root=False).problems == ()
    data = (etc / "cert" / "both.pem").read_bytes()
    assert b"ENCRYPTED PRIVATE KEY" in data
    assert (etc / "cert" / "both.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("maker")
@pytest.mark.parametrize("name", ["www.example.com", "shop.example.org", "127.0.0.1"])
def test_the_strictest_clients_believe_it_once_they_trust_it(etc: Path, name: str) -> None:
    write(etc, SECURE)
    assert run(etc, "-f", "site") == 0
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(etc / "cert" / "a.pem", etc / "cert" / "a.key")
    client = ssl.create_default_context(cafile=str(etc / "cert" / "a.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    meet(server, client, name)


def test_a_conf_without_tls_is_told_what_to_add(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(etc, PLAIN)
    assert run(etc, "-f", "site") == 0
    lines = "    ssl = yes\n    certfile = site.pem\n    keyfile = site.key\n"
    assert lines in capsys.readouterr().out
    assert run(etc, "-f", "site") == 0
    told = capsys.readouterr().out
    assert "does not name it" in told
    assert lines in told
    write(etc, PLAIN + lines)
    assert load_all(etc, is_root=False).problems == ()


def test_a_key_that_is_there_is_never_written_over(etc: Path) -> None:
    write(etc, SECURE)
    (etc / "cert").mkdir()
    (etc / "cert" / "a.key").write_text("precious")
    with pytest.raises(RefusedError, match="not written over"):
        run(etc, "-f", "site")
    assert (etc / "cert" / "a.key").read_text() == "precious"


def test_all_are_shown(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(etc, PLAIN)
    assert run(etc) == 0
    assert "No instance serves TLS" in capsys.readouterr().out
    (etc / "cert").mkdir()
    authority = make("Example Authority", is_authority=True)
    make("www.example.com", issuer=authority, days=(-9, 5.5)).write(etc / "cert", "a")
    make("b.example", days=(-9, -1)).write(etc / "cert", "b")
    write(etc, f"{SECURE}[www.example.com]\ncertfile = b.pem\nkeyfile = b.key\n")
    assert run(etc) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["site", "all", "others"]
    assert "Example Authority" in first
    assert first.endswith("5 days")
    assert "www.example.com" in second
    assert second.endswith("expired")
    assert run(etc, "-f", "site") == 2


def test_a_conf_that_is_wrong_is_told(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(etc, "[server]\nprot = 1\n")
    assert run(etc) == 2
    assert "prot" in capsys.readouterr().err
