"""A client that sends raw bytes and reads responses by the letter of RFC 9112; it shares no code with the server."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

PATIENCE_S = 20.0
"""For anything that is to happen; a busy machine may take its time, a hang is a failure."""

# State of a connection that was reset, in the first byte of Linux' struct tcp_info.
_TCP_CLOSE = 7

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [^\x00-\x08\x0a-\x1f\x7f]*").fullmatch
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([^\x00-\x08\x0a-\x1f\x7f]*)").fullmatch
_SIZE = re.compile(rb"[0-9a-f]+").fullmatch


class WireError(AssertionError):
    """The server sent what is not a response, or not all of one."""


class Ending(Enum):
    """How the server ended a connection."""

    CLOSED = "closed"
    RESET = "reset"


@dataclass(frozen=True)
class Response:
    """`fields` by lower-case name; `is_chunked` and `is_until_close` say how the end of the body was known."""

    status: int
    fields: dict[str, str]
    body: bytes
    is_chunked: bool = False
    is_until_close: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.fields.get("connection") == "close"


class Wire:
    """One connection to the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._ending: Ending | None = None

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *pieces: bytes) -> None:
        """Each piece in a call of its own. A server that has refused already may reset the connection: fine here,
        what it said is read all the same."""
        for piece in pieces:
            try:
                self._socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return

    def end_input(self) -> None:
        """Send nothing more, but go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def ask(self, raw: bytes, method: str = "GET") -> Response:
        self.send(raw)
        return self.response(method)

    def response(self, method: str = "GET") -> Response:
        """The next response, with its body; interim ones are responses too. Raises WireError."""
        status, fields = self._head()
        if method == "HEAD" or status < 200 or status in (204, 304):
            return Response(status, fields, b"")
        if "transfer-encoding" in fields:
            if fields["transfer-encoding"] != "chunked" or "content-length" in fields:
                raise WireError(f"framing in doubt: {fields}")
            return Response(status, fields, self._chunks(), is_chunked=True)
        if "content-length" in fields:
            return Response(status, fields, self._take(int(fields["content-length"])))
        return Response(status, fields, self.rest(), is_until_close=True)

    def rest(self) -> bytes:
        """Everything until the server ends the connection. Raises WireError if it resets it."""
        raw, ending = self.drain()
        if ending is not Ending.CLOSED:
            raise WireError(f"the connection was reset after {raw!r}")
        return raw

    def drain(self) -> tuple[bytes, Ending]:
        """Everything until the server ends the connection, and how it did."""
        while self._receive():
            pass
        raw, self._buffer = self._buffer, b""
        assert self._ending is not None
        return raw, self._ending

    def is_silent(self, for_s: float) -> bool:
        """Whether the server neither says nor ends anything for a while."""
        if self._buffer:
            return False
        self._socket.settimeout(for_s)
        try:
            return not self._receive() and self._ending is None
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE_S)

    def has_ended(self) -> bool:
        """Whether the server's side of the connection is gone altogether, read or not."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return info[0] == _TCP_CLOSE

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        match = _STATUS_LINE(lines[0])
        if match is None:
            raise WireError(f"no status line: {lines[0]!r}")
        fields: dict[str, str] = {}
        for line in lines[1:]:
            field = _FIELD(line)
            if field is None:
                raise WireError(f"no field line: {line!r}")
            name = field[1].decode().lower()
            if name in fields:
                raise WireError(f"{name} is given twice")
            fields[name] = field[2].decode("latin-1")
        return int(match[1]), fields

    def _chunks(self) -> bytes:
        body = b""
        while True:
            line = self._until(b"\r\n")
            if not _SIZE(line):
                raise WireError(f"no chunk size: {line!r}")
            size = int(line, 16)
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise WireError("a chunk does not end with its size")
            if not size:
                return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._need()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._need()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _need(self) -> None:
        if not self._receive():
            raise WireError(f"the connection was {self._ending} within a response: {self._buffer[:200]!r}")

    def _receive(self) -> bool:
        """Whether something came. False once the server has ended the connection."""
        if self._ending is not None:
            return False
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            self._ending = Ending.RESET
            return False
        if not data:
            self._ending = Ending.CLOSED
        self._buffer += data
        return bool(data)


Connect = Callable[[], Wire]
