"""The supervisor's end of the control socket. No client can make the loop wait or its memory grow: lines, clients,
unsent answers and the time to say something are bounded."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path

from skitaid.exceptions import PeerError
from skitaid.supervisor.control import REQUEST_MAX_BYTES, SOCKET_FILE, Request, parse_request
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.reply import Answer, Reply, SendReply
from skitaid.supervisor.unixsocket import socket_address

__all__ = ["ControlListener"]

CLIENTS_MAX = 32
UNSENT_MAX_BYTES = 4 * 1024 * 1024
IDLE_S = 10.0
FAREWELL_S = 1.0

OnRequest = Callable[[Request, Reply], None]


class _Turn(Enum):
    """Whose move it is: the client's to ask, ours to answer, the client's to read; or it is over."""

    ASKING = "asking"
    WAITING = "waiting"
    ANSWERED = "answered"
    CLOSED = "closed"


class ControlListener:
    """Listens in `run_path`; whoever calls holds the lock, so a socket that is there is stale. `on_request` is called
    on the loop and answers through the reply, at once or later."""

    def __init__(self, loop: Loop, run_path: Path, on_request: OnRequest) -> None:
        self._loop = loop
        self._path = run_path / SOCKET_FILE
        self._on_request = on_request
        self._clients: set[_Client] = set()
        self._run_path = run_path
        self._open()

    def _open(self) -> None:
        self._socket = _listen(self._run_path)
        self._identity = _identity(self._path)
        self._loop.watch(self._socket.fileno(), self._accept)

    @property
    def client_count(self) -> int:
        return len(self._clients)

    @property
    def is_there(self) -> bool:
        """Whether clients still find the socket where it was made."""
        return self._identity is not None and _identity(self._path) == self._identity

    def listen_again(self) -> None:
        """The socket's file was removed: make another. Raises OSError; then nothing has changed."""
        before = self._socket
        self._open()
        self._loop.forget(before.fileno())
        before.close()

    def tick(self, now: float) -> None:
        """Once a second: let go of clients that neither ask nor read."""
        if self._socket.fileno() >= 0:
            self._loop.watch(self._socket.fileno(), self._accept)
        for client in [client for client in self._clients if client.is_stale(now)]:
            client.close()

    def stop_listening(self) -> None:
        """Nobody new; clients that wait for an answer still get it."""
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Hand out what is unsent, briefly, and end."""
        for client in list(self._clients):
            client.flush_and_close()

    def _accept(self, events: int) -> None:
        try:
            channel, _ = self._socket.accept()
        except OSError:
            # The client left again, or no descriptor is free: not at once again, that would be a busy loop.
            self._loop.forget(self._socket.fileno())
            return
        if len(self._clients) >= CLIENTS_MAX:
            channel.close()
            return
        self._clients.add(_Client(channel, self._loop, self._on_request, self._clients.discard))


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file; None: it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(run_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (run_path / SOCKET_FILE).unlink(missing_ok=True)
    before = os.umask(0o177)  # the socket is born with mode 0600: no moment at which others may connect
    try:
        with socket_address(run_path, SOCKET_FILE) as address:
            listener.bind(address)
    finally:
        os.umask(before)
    listener.listen(CLIENTS_MAX)
    listener.setblocking(False)
    return listener


class _Client:
    """One connection: a request and its answer."""

    def __init__(
        self, channel: socket.socket, loop: Loop, on_request: OnRequest, on_close: Callable[[_Client], None]
    ) -> None:
        self._channel = channel
        self._loop = loop
        self._on_request = on_request
        self._on_close = on_close
        self._received = b""
        self._unsent = b""
        self._turn = _Turn.ASKING
        self._has_more = True  # until it closes its sending side
        self._active_at = time.monotonic()
        channel.setblocking(False)
        loop.watch(channel.fileno(), self._serve)

    def is_stale(self, now: float) -> bool:
        """It owes us something, a request or the reading of our answer, and lets us wait."""
        owes_us = self._turn is _Turn.ASKING or bool(self._unsent)
        return owes_us and now - self._active_at > IDLE_S

    def close(self) -> None:
        if self._turn is _Turn.CLOSED:
            return
        self._turn = _Turn.CLOSED
        self._loop.forget(self._channel.fileno())
        self._channel.close()
        self._on_close(self)

    def flush_and_close(self) -> None:
        if self._unsent:
            self._channel.settimeout(FAREWELL_S)
            with suppress(OSError):
                self._channel.sendall(self._unsent)
        self.close()

    def tell(self, line: bytes) -> None:
        """One line of the answer, more to come."""
        if self._turn is not _Turn.CLOSED:
            self._unsent += line
            self._send()

    def answer(self, line: bytes) -> None:
        """The last line; the connection ends when it is sent."""
        if self._turn is _Turn.WAITING:
            self._turn = _Turn.ANSWERED
        self.tell(line)

    def _serve(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._send()
        if self._turn is not _Turn.CLOSED and events & selectors.EVENT_READ:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._channel.recv(REQUEST_MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and self._turn is _Turn.WAITING:
            # It has said all, and may still read the answer (`echo … | nc -U`); or it is gone, which sending will tell.
            self._has_more = False
            self._watch()
            return
        if not data or len(self._received) + len(data) > REQUEST_MAX_BYTES:
            self.close()
            return
        self._received += data
        if self._turn is _Turn.ASKING and b"\n" in self._received:
            self._request(self._received.partition(b"\n")[0])

    def _request(self, line: bytes) -> None:
        self._turn = _Turn.WAITING
        self._active_at = time.monotonic()
        reply = _ClientReply(self)
        try:
            request = parse_request(line)
        except PeerError as error:
            reply.finish(Answer(False, str(error), 2))
            return
        try:
            self._on_request(request, reply)
        except Exception:
            reply.finish(Answer(False, "skitaid failed at this: its log (skitaid.log) says how", 1))
            raise  # to be logged with its traceback

    def _send(self) -> None:
        try:
            sent = self._channel.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._unsent = self._unsent[sent:]
        self._active_at = time.monotonic() if sent else self._active_at
        is_over = self._turn is _Turn.ANSWERED and not self._unsent
        if is_over or len(self._unsent) > UNSENT_MAX_BYTES:
            self.close()
            return
        self._watch()

    def _watch(self) -> None:
        self._loop.watch(self._channel.fileno(), self._serve, read=self._has_more, write=bool(self._unsent))


class _ClientReply(SendReply):
    def __init__(self, client: _Client) -> None:
        self._client = client
        super().__init__(client.tell)

    def finish(self, answer: Answer) -> None:
        self._client.answer(answer.as_line())
