"""Certificates for tests, made once a run."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """A certificate and its key, in PEM form."""

    certificate: bytes
    key: bytes
    x509: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str, *, passphrase: str | None = None) -> tuple[Path, Path]:
        """As NAME.pem and NAME.key."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_bytes(self.certificate)
        paths[1].write_bytes(self.key if passphrase is None else self.locked_key(passphrase))
        return paths

    def locked_key(self, passphrase: str) -> bytes:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )  # fmt: skip


def make(
    *names: str, issuer: Made | None = None, days: tuple[float, float] = (-1, 90), common_name: str | None = None,
    is_authority: bool = False, is_plain: bool = False,
) -> Made:  # fmt: skip
    """For `names`, hosts or addresses; valid from and until so many days from now. `is_plain`: without what RFC 5280
    asks for beyond the names and whether it is an authority's, as many are that were made by hand."""
    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = _name(common_name or names[0])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.x509.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    if not is_plain:
        builder = _whole(builder, private, issuer, is_authority)
    signed = builder.sign(private if issuer is None else issuer.private, hashes.SHA256())
    key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Made(signed.public_bytes(serialization.Encoding.PEM), key, signed, private)


def meet(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A handshake in memory, as far as the client judges the certificate. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name)
    theirs = server.wrap_bio(up, down, server_side=True)
    for side in (ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ours.getpeercert()


def _whole(
    builder: x509.CertificateBuilder, private: ec.EllipticCurvePrivateKey, issuer: Made | None, is_authority: bool
) -> x509.CertificateBuilder:
    """With the key identifiers and the usage that strict clients look for (RFC 5280 section 4.2.1.1 to 4.2.1.3)."""
    signer = private if issuer is None else issuer.private
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ])  # fmt: skip


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
