"""DKIM signatures (RFC 6376), by the package dkimpy; imported with the first mail that is signed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from skitaid.exceptions import SkitaidError

__all__ = ["SIGNED_FIELDS", "Signer", "SigningError"]

SIGNED_FIELDS = (
    b"from", b"to", b"cc", b"reply-to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"in-reply-to", b"references",
)  # fmt: skip
"""RFC 6376, section 5.4.1, without those that relays write."""


class SigningError(SkitaidError):
    """The conf asks for signatures that cannot be made; its author must act."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs mails of one domain. `key`: in PEM form."""

    domain: str
    selector: str
    key: bytes

    def sign(self, message: bytes) -> bytes:
        """The message behind its signature."""
        import dkim

        signature: bytes = dkim.sign(message, self.selector.encode(), self.domain.encode(), self.key,
                                     canonicalize=(b"relaxed", b"relaxed"), include_headers=list(SIGNED_FIELDS))
        return signature + message


def read_signer(domain: str, selector: str, key: Path) -> Signer:
    """A signer with the private key in the file `key`. Raises SigningError when it cannot be read, or dkimpy is not
    installed."""
    if find_spec("dkim") is None:
        raise SigningError("[smtpda] dkim_key: the package dkimpy is not installed; pip install 'skitaid[dkim]'")
    try:
        return Signer(domain, selector, key.read_bytes())
    except OSError as error:
        raise SigningError(f"[smtpda] dkim_key: cannot read {key}: {error.strerror}") from error
