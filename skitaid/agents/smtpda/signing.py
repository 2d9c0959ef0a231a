"""DKIM signatures (RFC 6376), by the package dkimpy; imported when there is a key."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from skitaid.exceptions import SkitaidError

__all__ = ["MESSAGE_MAX_BYTES", "SIGNED_FIELDS", "Signer", "SigningError"]

SIGNED_FIELDS = (
    b"from", b"to", b"cc", b"reply-to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"in-reply-to", b"references",
)  # fmt: skip
"""RFC 6376, section 5.4.1, without those that relays write."""


MESSAGE_MAX_BYTES = 64 << 20
"""A longer one, which would be in memory several times, goes out without a signature."""


class SigningError(SkitaidError):
    """The conf asks for a signature that cannot be made."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs mails of one domain. `key`: in PEM form."""

    domain: str
    selector: str
    key: bytes

    def sign(self, message: bytes) -> bytes:
        """The message behind its signature. Raises SigningError for a message that cannot be signed."""
        import dkim

        try:
            signature: bytes = dkim.sign(
                message,
                self.selector.encode(),
                self.domain.encode(),
                self.key,
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=list(SIGNED_FIELDS),
            )
        except (dkim.DKIMException, ValueError, LookupError) as error:  # it stumbles over malformed headers
            raise SigningError(f"it cannot be signed: {error!r}") from error
        return signature + message


def read_signer(domain: str, selector: str, key: Path) -> Signer:
    """A signer with the private key in the file `key`. Raises SigningError when it cannot be read, or dkimpy is not
    installed."""
    if find_spec("dkim") is None:
        raise SigningError("[smtpda] dkim_key: the package dkimpy is not installed; pip install 'skitaid[dkim]'")
    try:
        signer = Signer(domain, selector, key.read_bytes())
    except OSError as error:
        raise SigningError(f"[smtpda] dkim_key: cannot read {key}: {error.strerror}") from error
    try:
        signer.sign(b"From: x\r\n\r\n")
    except SigningError as error:
        raise SigningError(f"[smtpda] dkim_key: {key}: expected an RSA key, PEM, without a passphrase") from error
    return signer
