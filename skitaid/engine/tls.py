"""TLS on an accepted socket: the handshake, and the socket that comes of it.

The handshake is done on the loop thread, which never waits for the client's part of it. Its computations take 0.2 ms,
so only a few are done in a batch of events: whoever is connected already is served in between. A client that says
nothing has no SSL object, and its time is limited as that of a head is.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from skitaid.engine.listener import Listener, Peer, SecurityEngine
from skitaid.engine.phase import Phase
from skitaid.engine.poller import READ, WRITE
from skitaid.engine.secure import ClientCertificate, SecureSocket

__all__ = ["Handshake", "TlsServer", "TlsSocket"]

STEPS_PER_BATCH: Final = 8
RECORD_BYTES: Final = 16384
"""As much as a record can hold (RFC 8446 section 5.1): a read of it leaves nothing in the SSL object of which the
poller would not tell."""
WRITE_BYTES: Final = 131072
"""What OpenSSL does not get rid of has to be given again, from the beginning of the call: so not too much at a time."""
_PLAIN_REPLY: Final = (
    b"HTTP/1.1 400 Bad Request\r\nServer: skitaid\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%b"
)
_PLAIN_TEXT: Final = b"This port speaks HTTPS: write https:// in front of the address.\n"
_WAITS: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsSocket(SecureSocket):
    """An end of file without close_notify (RFC 8446 section 6.1) is an end of file: many clients leave it out, and what
    they sent says itself how long it is."""

    __slots__ = ("_is_done", "_lock", "_read", "_socket", "_write")

    def __init__(self, sock: ssl.SSLSocket, certificate: ClientCertificate | None = None) -> None:
        self._socket = sock
        # What SSLSocket adds in Python costs 0.4 µs a request. Made otherwise one day, it has such methods itself.
        raw = getattr(sock, "_sslobj", sock)
        self._read: Callable[[int], bytes] = raw.read
        self._write: Callable[[bytes | memoryview], int] = raw.write
        self._lock = threading.Lock()
        self._is_done = False
        self.alpn = sock.selected_alpn_protocol()
        self.version = sock.version() or ""
        cipher = sock.cipher()
        self.cipher = cipher[0] if cipher else ""
        self.certificate = certificate

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        sent = 0
        with self._lock:
            try:
                if len(data) <= WRITE_BYTES:
                    return self._write(data)
                view = memoryview(data)
                while sent < len(data):
                    sent += self._write(view[sent : sent + WRITE_BYTES])
            except _WAITS:
                if not sent:
                    raise BlockingIOError from None
            except OSError:
                self._is_done = True
                raise
        return sent

    def recv(self, limit: int) -> bytes:
        with self._lock:
            try:
                data = self._read(RECORD_BYTES)
                if len(data) == RECORD_BYTES:
                    # More of it is likely to be here.
                    data = self._read_on(data, limit)
                return data
            except _WAITS:
                raise BlockingIOError from None
            except ssl.SSLZeroReturnError:
                return b""
            except OSError:
                self._is_done = True
                raise

    def discard(self, limit: int) -> bytes:
        return socket.socket.recv(self._socket, limit)

    def shutdown(self, how: int) -> None:
        with self._lock:
            self._say_goodbye()
        # Not SSLSocket's own, after which what comes in would no longer be decrypted.
        socket.socket.shutdown(self._socket, how)

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        if option == socket.SO_LINGER:
            self._is_done = True
        self._socket.setsockopt(level, option, value)

    def close(self) -> None:
        with self._lock:
            self._say_goodbye()
        self._socket.close()

    def _read_on(self, data: bytes, limit: int) -> bytes:
        pieces = [data]
        left = limit - RECORD_BYTES
        while left >= RECORD_BYTES and len(pieces[-1]) == RECORD_BYTES:
            try:
                pieces.append(self._read(RECORD_BYTES))
            except OSError:
                # An end or an error comes again with the next call.
                break
            left -= RECORD_BYTES
        return b"".join(pieces)

    def _say_goodbye(self) -> None:
        if not self._is_done:
            self._is_done = True
            # It goes out with the first step. The second, to hear the client's, does not wait for it.
            with suppress(OSError, ValueError):
                self._socket.unwrap()


class TlsServer:
    """The TLS of a listener. `context` says which certificate, which protocols, and whether clients are asked for
    theirs."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.asks_for_certificates = context.verify_mode is not ssl.CERT_NONE
        self._batch = -1
        self._steps = 0

    def begin(self, engine: SecurityEngine, listener: Listener, sock: socket.socket, peer: Peer) -> Handshake:
        return Handshake(self, engine, listener, (sock, peer))

    def may_compute(self, batch: int) -> bool:
        """Whether this batch of events has room for another step of a handshake."""
        if batch != self._batch:
            self._batch, self._steps = batch, 0
        self._steps += 1
        return self._steps <= STEPS_PER_BATCH


class Handshake:
    """An accepted socket on which nothing is agreed yet."""

    __slots__ = (
        "_engine", "_interest", "_is_closed", "_listener", "_peer", "_raw", "_secure", "_server", "fd", "head_at",
        "peer", "served", "touched",
    )  # fmt: skip

    def __init__(
        self, server: TlsServer, engine: SecurityEngine, listener: Listener, accepted: tuple[socket.socket, Peer]
    ) -> None:
        self._server = server
        self._engine = engine
        self._listener = listener
        self._raw, self._peer = accepted
        self._secure: ssl.SSLSocket | None = None
        self._interest = READ
        self._is_closed = False
        self.fd = self._raw.fileno()
        self.peer = self._peer[0]
        self.served = 0
        self.touched = self.head_at = engine.now

    @property
    def phase(self) -> Phase:
        if self._is_closed:
            return Phase.CLOSED
        return Phase.IDLE if self._secure is None else Phase.HEAD

    def on_event(self, mask: int) -> None:
        # Otherwise the poller tells of it again, when the others had their turn.
        if not self._is_closed and self._server.may_compute(self._engine.batch):
            self.touched = self._engine.now
            self._step()

    def on_failure(self) -> None:
        self._close()

    def time_out(self, phase: Phase) -> None:
        self._close()

    def close_idle(self) -> None:
        if self.phase is Phase.IDLE:
            # What the kernel holds for us may be the beginning.
            self._step()
        if self.phase is Phase.IDLE:
            self._close()

    def stop_waiting(self) -> None:
        """Nobody waits for a handshake but its client."""

    def give_up(self) -> None:
        self._close()

    def _step(self) -> None:
        try:
            secure = self._secure
            if secure is None:
                if not self._is_anything_here():
                    return
                secure = self._secure = self._wrap()
            secure.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except OSError as error:
            self._fail(error)
        else:
            self._watch(READ)
            certificate = _certificate(secure) if self._server.asks_for_certificates else None
            self._engine.secured(self, self._listener, TlsSocket(secure, certificate), self._peer)
            # Only now: until the socket is somebody else's, we close it, whatever fails.
            self._is_closed = True

    def _is_anything_here(self) -> bool:
        """A client that connects and goes again costs no SSL object."""
        try:
            if self._raw.recv(1, socket.MSG_PEEK):
                return True
        except (BlockingIOError, InterruptedError):
            return False
        self._close()
        return False

    def _wrap(self) -> ssl.SSLSocket:
        return self._server.context.wrap_socket(
            self._raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )

    def _watch(self, interest: int) -> None:
        if interest != self._interest:
            self._interest = interest
            self._engine.selector.poller.modify(self.fd, interest)

    def _fail(self, error: OSError) -> None:
        """OpenSSL has told the client why, if it understands TLS at all."""
        if self._secure is not None and getattr(error, "reason", None) == "HTTP_REQUEST":
            self._answer_plain(self._secure)
        self._close()

    def _answer_plain(self, secure: ssl.SSLSocket) -> None:
        """Somebody speaks HTTP without TLS here."""
        with suppress(OSError):
            # What is left unread when the socket is closed would make the kernel throw our answer away.
            socket.socket.recv(secure, 65536)
        with suppress(OSError):
            socket.socket.send(secure, _PLAIN_REPLY % (len(_PLAIN_TEXT), _PLAIN_TEXT))
            socket.socket.shutdown(secure, socket.SHUT_WR)

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._engine.closed(self)
        self._engine.selector.forget(self.fd)
        (self._secure or self._raw).close()


def _certificate(sock: ssl.SSLSocket) -> ClientCertificate | None:
    """Of the client, if it has shown one, which was verified then."""
    der = sock.getpeercert(binary_form=True)
    if not der:
        return None
    told: dict[str, Any] = sock.getpeercert() or {}
    subject = told.get("subject", ())
    names = [value for rdn in subject for key, value in rdn if key == "commonName"]
    return ClientCertificate(
        subject=_distinguished_name(subject),
        issuer=_distinguished_name(told.get("issuer", ())),
        name=names[-1] if names else "",
        serial=told.get("serialNumber", ""),
        pem=ssl.DER_cert_to_PEM_cert(der),
    )


_SHORT: Final = {
    "commonName": "CN", "countryName": "C", "domainComponent": "DC", "localityName": "L", "organizationName": "O",
    "organizationalUnitName": "OU", "stateOrProvinceName": "ST", "streetAddress": "STREET", "userId": "UID",
}  # fmt: skip


def _distinguished_name(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """RFC 4514: the last first."""
    return ",".join("+".join(f"{_SHORT.get(key, key)}={_escaped(value)}" for key, value in rdn) for rdn in name[::-1])


def _escaped(value: str) -> str:
    escaped = "".join(f"\\{char}" if char in '",+;<>\\' else char for char in value)
    if escaped.startswith(("#", " ")):
        escaped = f"\\{escaped}"
    return f"{escaped[:-1]}\\ " if len(value) > 1 and value.endswith(" ") else escaped
