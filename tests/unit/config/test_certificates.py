"""What is wrong with certificates is told when a conf is loaded."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from skitaid.config.load import Loaded, load_all
from tests.certificates import Made, make

PLAIN = "[server]\nport = 5000\nssl = yes\ncertfile = a.pem\nkeyfile = a.key\n"
ROUTES = "[routes:line]\n/ = pub\n: www.example.com\n/ = pub\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "servers-enabled" / "pub").mkdir(parents=True)
    (tmp_path / "cert").mkdir()
    make("www.example.com").write(tmp_path / "cert", "a")
    return tmp_path


def load(etc: Path, text: str = PLAIN + ROUTES) -> Loaded:
    (etc / "servers-enabled" / "site.conf").write_text(text)
    return load_all(etc, is_root=False)


def told(etc: Path, text: str = PLAIN + ROUTES) -> str:
    """The one error."""
    loaded = load(etc, text)
    assert not loaded.instances
    [problem] = loaded.failures["site"].problems
    return str(problem)


def test_a_good_certificate_is_no_news(etc: Path) -> None:
    assert load(etc).problems == ()


def test_the_key_may_sit_in_the_certificate_s_file(etc: Path) -> None:
    made = make("www.example.com")
    (etc / "cert" / "both.pem").write_bytes(made.key + made.certificate)
    assert load(etc, PLAIN.replace("a.pem\nkeyfile = a.key", "both.pem") + ROUTES).problems == ()


def test_a_missing_key_is_told(etc: Path) -> None:
    text = told(etc, PLAIN.replace("keyfile = a.key\n", "") + ROUTES)
    assert "site.conf:4: certfile: there is no private key in " in text
    assert "keyfile = NAME.key" in text


def test_a_key_of_another_certificate_is_told(etc: Path) -> None:
    make("b.example").write(etc / "cert", "b")
    text = told(etc, PLAIN.replace("a.key", "b.key") + ROUTES)
    assert "b.key does not belong to the certificate in" in text


@pytest.mark.parametrize(("given", "expected"), [
    ("", "is locked (add passphrase"), ("passphrase = wrong\n", "the passphrase does not open the key"),
])  # fmt: skip
def test_a_locked_key_is_told(etc: Path, given: str, expected: str) -> None:
    make("www.example.com").write(etc / "cert", "a", passphrase="sesame")
    assert expected in told(etc, PLAIN + given + ROUTES)
    assert load(etc, PLAIN + "passphrase = sesame\n" + ROUTES).problems == ()


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_told(etc: Path, content: bytes) -> None:
    (etc / "cert" / "a.pem").write_bytes(content)
    assert "begins with the certificate" in told(etc)


def test_a_broken_key_is_told(etc: Path) -> None:
    (etc / "cert" / "a.key").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert "can't be used" in told(etc)


def test_an_expired_certificate_is_told(etc: Path) -> None:
    made = make("www.example.com", days=(-40, -3.5))
    made.write(etc / "cert", "a")
    text = told(etc)
    date = time.strftime("%Y-%m-%d", time.gmtime(made.x509.not_valid_after_utc.timestamp()))
    assert f"has expired, {date}, 3 days ago" in text
    assert "renew it" in text


def test_a_certificate_that_is_not_valid_yet_is_told(etc: Path) -> None:
    make("www.example.com", days=(3, 40)).write(etc / "cert", "a")
    assert "is the clock right?" in told(etc)


def test_a_host_that_the_certificate_is_not_for_is_warned_of(etc: Path) -> None:
    make("a.example", "*.a.example").write(etc / "cert", "a")
    loaded = load(etc)
    assert list(loaded.instances) == ["site"]
    [problem] = loaded.problems
    assert problem.is_warning
    assert "is for a.example, *.a.example, not for www.example.com" in str(problem)
    assert "[www.example.com]" in problem.fix


def test_each_host_s_own_certificate_is_looked_at(etc: Path) -> None:
    own = "[www.example.com]\ncertfile = w.pem\nkeyfile = w.key\n"
    make("a.example").write(etc / "cert", "a")
    make("www.example.com").write(etc / "cert", "w")
    assert load(etc, PLAIN + own + ROUTES).problems == ()
    make("www.example.com", days=(-9, -1)).write(etc / "cert", "w")
    assert "site.conf:7: certfile: " in told(etc, PLAIN + own + ROUTES)


def test_authorities_are_looked_at(etc: Path) -> None:
    (etc / "cert" / "ca.pem").write_bytes(b"nothing")
    assert "client_ca: " in told(etc, PLAIN + "client_ca = ca.pem\n" + ROUTES)
    authority: Made = make("authority.example", is_authority=True)
    (etc / "cert" / "ca.pem").write_bytes(authority.certificate)
    assert load(etc, PLAIN + "client_ca = ca.pem\n" + ROUTES).problems == ()


def test_a_process_that_has_no_openssl_still_has_none_afterwards(etc: Path) -> None:
    """The supervisor keeps what it imports for as long as it lives."""
    make("www.example.com", days=(-40, -3.5)).write(etc / "cert", "a")
    load(etc)
    code = (
        "import sys; from pathlib import Path; from skitaid.config.load import load_all;"
        "loaded = load_all(Path(sys.argv[1]), is_root=False);"
        "print(loaded.failures['site'], 'ssl' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(etc)], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    assert "3 days ago" in done.stdout
    assert done.stdout.split()[-1] == "False"
