from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from skitaid.agents.smtpda import tls
from tests.certificates import make, meet

BUNDLE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n-----BEGIN TRUSTED CERTIFICATE-----\nAA==\n"


@pytest.fixture
def system(tmp_path: Path) -> tuple[Path, Path]:
    """A file with two authorities, and an empty folder."""
    (tmp_path / "all.pem").write_text(BUNDLE)
    (tmp_path / "certs").mkdir()
    return tmp_path / "all.pem", tmp_path / "certs"


@pytest.mark.parametrize(
    ("names", "is_chosen"),
    [
        ((), False),
        (("0a1b2c3d.0",), False),
        (("0a1b2c3d.0", "ca.pem", "all.crt"), False),
        (("0a1b2c3d.0", "0a1b2c3d.1"), True),
        (("0a1b2c3d.0", "ffffffff.0", "00000000.0"), True),
    ],
)
def test_the_folder_when_it_has_all_that_the_file_has(
    system: tuple[Path, Path], names: tuple[str, ...], is_chosen: bool
) -> None:
    file, folder = system
    for name in names:
        (folder / name).touch()
    assert tls.folder_of_all(str(file), str(folder)) == (str(folder) if is_chosen else None)


def test_one_of_both_is_missing(system: tuple[Path, Path]) -> None:
    file, folder = system
    assert tls.folder_of_all(None, None) is None
    assert tls.folder_of_all(str(file), str(folder / "none")) is None
    assert tls.folder_of_all(None, str(folder)) is None
    (folder / "0a1b2c3d.0").touch()
    assert tls.folder_of_all(str(folder / "none"), str(folder)) == str(folder)


def test_verified_or_not() -> None:
    verified, unverified = tls.context(None, is_verified=True), tls.context(None, is_verified=False)
    assert verified.verify_mode is ssl.CERT_REQUIRED and verified.check_hostname
    assert unverified.verify_mode is ssl.CERT_NONE and not unverified.check_hostname
    assert tls.context(None, is_verified=True) is verified
    tls.forget()
    assert tls.context(None, is_verified=True) is not verified


def test_authorities_of_the_conf_are_beside_the_system_s(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tls.context(tmp_path / "none.pem", is_verified=True)


@pytest.mark.parametrize("is_trusted_itself", [False, True])
def test_a_certificate_made_by_hand_is_taken(tmp_path: Path, is_trusted_itself: bool) -> None:
    authority = make("authority.example", is_authority=True, is_plain=True)
    relay = make("mail.example", issuer=authority, is_plain=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*relay.write(tmp_path, "relay"))
    cafile, _ = (relay if is_trusted_itself else authority).write(tmp_path, "ca")
    meet(server, tls.context(cafile, is_verified=True), "mail.example")
    for context, name in (
        (tls.context(cafile, is_verified=True), "other.example"),
        (tls.context(None, is_verified=True), "mail.example"),
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            meet(server, context, name)
