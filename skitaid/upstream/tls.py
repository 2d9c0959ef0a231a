"""TLS to members. Imported when the first connection to one that speaks it is made.

A TLS socket here looks like a plain one that does not block: "not now" is BlockingIOError, a connection that ends
without TLS saying so is an OSError and not an end of file (RFC 8446 section 6.1), or a cut response would look whole.
"""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache

from skitaid.upstream.settings import TlsSettings

__all__ = ["TlsError", "TlsSocket", "context_for", "wrap"]

TlsError = ssl.SSLError


@lru_cache(maxsize=64)
def context_for(settings: TlsSettings, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context for such members; made once, as reading the system's authorities takes 20 ms. Raises OSError, such as
    ssl.SSLError, for files that can't be read."""
    context = ssl.create_default_context(cafile=settings.ca)
    # An authority made by hand often has no key identifiers: Python refuses it from 3.13 on, others take it. And a
    # member's own certificate is good as `ca` from 3.13 on, whoever signed it. A conf must mean the same everywhere.
    context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certfile is not None:
        context.load_cert_chain(settings.certfile, settings.keyfile)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def wrap(sock: socket.socket, context: ssl.SSLContext, server_name: str) -> TlsSocket:
    """A connected, non-blocking socket, as one whose handshake is still to be done."""
    return TlsSocket(
        context.wrap_socket(
            sock, server_hostname=server_name, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
    )


class TlsSocket:
    """See the module."""

    __slots__ = ("_socket",)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._socket = sock

    def handshake(self) -> bool | None:
        """A step of it: None when it is done, else whether it waits for the peer to send (True) or to take (False).
        Raises OSError."""
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLWantWriteError:
            return False
        return None

    @property
    def protocol(self) -> str | None:
        """What ALPN agreed on (RFC 7301)."""
        return self._socket.selected_alpn_protocol()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As that of a socket, but that flags are not for TLS: who asks to peek takes what there is."""
        try:
            return self._socket.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def send(self, data: bytes | memoryview) -> int:
        """As that of a socket."""
        try:
            return self._socket.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def fileno(self) -> int:
        """As that of a socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Without a goodbye: who needs one has an end in its protocol."""
        self._socket.close()
