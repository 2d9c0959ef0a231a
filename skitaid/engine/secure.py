"""What is known of TLS without importing it: a worker that serves none does not pay for it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientCertificate", "SecureSocket"]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What the certificate of a client says, once it is verified. `subject` and `issuer` as RFC 4514 writes names,
    `name` the subject's common name, `serial` in hexadecimal digits, `pem` the certificate itself."""

    subject: str
    issuer: str
    name: str
    serial: str
    pem: str


class SecureSocket:
    """A socket on which TLS is spoken, as a channel uses sockets. From any thread: an SSL object can't be read and
    written at the same time, so both are done under a lock of its own. `alpn`: the protocol agreed on, None when
    nothing was said."""

    __slots__ = ("alpn", "certificate", "cipher", "version")

    alpn: str | None
    certificate: ClientCertificate | None
    cipher: str
    version: str

    def fileno(self) -> int:
        raise NotImplementedError

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        """What was taken. Raises BlockingIOError: then the same bytes have to come again, others behind them perhaps;
        OSError."""
        raise NotImplementedError

    def recv(self, limit: int) -> bytes:
        """b"" at the end. Raises BlockingIOError, OSError."""
        raise NotImplementedError

    def discard(self, limit: int) -> bytes:
        """What came in, as it came: nobody is going to read it. b"" at the end."""
        raise NotImplementedError

    def shutdown(self, how: int) -> None:
        """Say goodbye (RFC 8446 section 6.1), and end our side."""
        raise NotImplementedError

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        """Of the socket below. Whoever asks for a reset wants no goodbye: it would make what was cut off look whole."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
