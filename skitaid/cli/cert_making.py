"""Making a certificate that is signed by itself. The `cryptography` package does it, and is imported for that alone;
where it is missing, the program openssl does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skitaid.config.document import Document
from skitaid.config.model import Main
from skitaid.config.paths import resolve
from skitaid.config.reader import read_document
from skitaid.config.report import Report
from skitaid.config.tls import named_hosts
from skitaid.exceptions import RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["Wanted", "make_files", "wanted_of"]

OPENSSL_S = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that a `conf` names, or might. `keyfile` None: the key is to sit in `certfile`."""

    conf: Path
    certfile: Path
    keyfile: Path | None
    names: tuple[str, ...]
    passphrase: str = ""
    is_named: bool = False


def wanted_of(conf: Path, main: Main) -> Wanted:
    """What the conf says, whatever else may be wrong with it. Without a word of it: NAME.pem and NAME.key in cert/."""
    document = read_document(conf, Report(str(conf)))
    folder = main.etc / "cert"
    certfile, keyfile = _value(document, "certfile"), _value(document, "keyfile")
    names = tuple(dict.fromkeys((*_names(document), "localhost", socket.gethostname(), "127.0.0.1", "::1")))
    if not certfile:
        return Wanted(conf, folder / f"{conf.stem}.pem", folder / f"{conf.stem}.key", names)
    return Wanted(
        conf, resolve(certfile, folder), resolve(keyfile, folder) if keyfile else None, names,
        _value(document, "passphrase"), is_named=True,
    )  # fmt: skip


def make_files(wanted: Wanted, days: int) -> None:
    """Write a key and its self-signed certificate, valid for `days`. Raises RefusedError."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        key, certificate = _by_openssl(wanted, days)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        key, certificate = _key_pem(private, wanted.passphrase), _certificate_pem(private, wanted.names, days)
    if wanted.keyfile is None:
        _write(wanted.certfile, key + certificate, 0o600)
    else:
        _write(wanted.keyfile, key, 0o600)
        _write(wanted.certfile, certificate, 0o644)


def _value(document: Document, key: str) -> str:
    for name in ("server", "ssl"):
        section = document.get(name)
        for entry in section.entries if section else ():
            if entry.key == key:
                return entry.value.text
    return ""


def _names(document: Document) -> Iterator[str]:
    for name in sorted(named_hosts(document)):
        if name.startswith("."):
            yield name[1:]
            yield f"*{name}"
        else:
            yield name


def _write(path: Path, data: bytes, mode: int) -> None:
    """Never over something that is there. Raises RefusedError."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(fd, "wb") as file:
            file.write(data)
    except FileExistsError:
        raise RefusedError(f"{path} is there already, and is not written over; move it away first") from None
    except OSError as error:
        advice = f"do it as the user who owns {path.parent}"
        raise RefusedError(f"cannot write {path}: {error.strerror}; {advice}") from error


def _key_pem(private: EllipticCurvePrivateKey, passphrase: str) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    locked: forms.KeySerializationEncryption = forms.NoEncryption()
    if passphrase:
        locked = forms.BestAvailableEncryption(passphrase.encode())
    return private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked)


def _certificate_pem(private: EllipticCurvePrivateKey, names: tuple[str, ...], days: int) -> bytes:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    # The common name has room for 64 characters; clients look at the other names.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def _general_name(name: str) -> Any:
    from ipaddress import ip_address

    from cryptography import x509

    return x509.IPAddress(ip_address(name)) if _is_address(name) else x509.DNSName(name)


# ---------------------------------------------------------------- without the package


def _by_openssl(wanted: Wanted, days: int) -> tuple[bytes, bytes]:
    """Key and certificate in PEM form. Raises RefusedError."""
    import shutil
    import subprocess

    program = shutil.which("openssl")
    if program is None:
        raise RefusedError("a certificate is made by the package cryptography, or by openssl: install one of them")
    names = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in wanted.names)
    words = [
        program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", str(days),
        "-subj", f"/CN={wanted.names[0][:64]}", "-addext", f"subjectAltName={names}", "-keyout", "-", "-out", "-",
        *(("-passout", "env:SKITAID_PASSPHRASE") if wanted.passphrase else ("-nodes",)),
    ]  # fmt: skip
    environ = {**os.environ, "SKITAID_PASSPHRASE": wanted.passphrase}
    done = subprocess.run(words, capture_output=True, check=False, env=environ, timeout=OPENSSL_S)
    key, marker, certificate = done.stdout.partition(b"-----BEGIN CERTIFICATE-----")
    if done.returncode or not marker:
        raise RefusedError(f"openssl failed: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return key, marker + certificate


def _is_address(name: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(name)
    except ValueError:
        return False
    return True
