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
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                serialization.NoEncryption())
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


def test_a_key_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="dkim_key: cannot read"):
        read_signer("example.com", "mail", tmp_path / "none.pem")
