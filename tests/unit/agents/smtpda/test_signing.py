from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.agents.smtpda.message import Email
from skitaid.agents.smtpda.signing import Signer, SigningError, read_signer
from skitaid.agents.smtpda.wire import inspect

dkim = pytest.importorskip("dkim", reason="pip install dkimpy: signatures of mail are not tested")


def key_pair() -> tuple[bytes, bytes]:
    """The private key in PEM form, and the DNS record that publishes the other."""
    from base64 import b64encode

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, b"v=DKIM1; k=rsa; p=" + b64encode(public)


def test_a_signature_that_others_verify() -> None:
    private, record = key_pair()
    mail = Email("Grüße", "shop@example.com", "ann@example.net")
    mail.add_text("Hello\n.\n")
    _, message = mail.compose("id-1")
    signed = Signer("example.com", "mail", private).sign(message)
    assert signed.endswith(message) and inspect([signed]).fault == ""
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: record)
    assert not dkim.verify(signed.replace(b"Hello", b"Hallo"), dnsfunc=lambda name, timeout=5: record)


@pytest.mark.parametrize("message", [b"no header\r\n", b"From: a@x.org\r\nbroken\r\n\r\n", b" From: x\r\n\r\n"])
def test_what_cannot_be_signed_is_told(message: bytes) -> None:
    with pytest.raises(SigningError):
        Signer("example.com", "mail", key_pair()[0]).sign(message)


def test_a_key_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(key_pair()[0])
    read_signer("example.com", "mail", path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SigningError, match="expected an RSA key"):
        read_signer("example.com", "mail", path)


def test_a_key_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="dkim_key: cannot read"):
        read_signer("example.com", "mail", tmp_path / "none.pem")
