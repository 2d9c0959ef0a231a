"""Compressed bodies on their way out: what `coding` decided, performed for a stream.

In an app thread a piece is compressed where it is written. On the loop nobody may be kept waiting: a turn compresses
`TURN_BYTES` at most, and what is left waits for the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from skitaid.engine.coding import MIN_BYTES, Choice, choose, confirm, encode, encoder
from skitaid.exceptions import PeerError
from skitaid.protocols.headers import HeaderBlock
from skitaid.protocols.http1.head import RequestHead

__all__ = ["MIN_BYTES", "CodedBody", "CodedStream", "choose_for_pieces", "code_whole"]

TURN_BYTES: Final = 65536
"""0.6 ms on the machine where this was measured, 2 ms on a slow one."""
_PIECE_BYTES: Final = 262144
_WHOLE_BYTES: Final = 1 << 20
"""More is sent while it is compressed."""
_ANYBODY: Final = HeaderBlock([])

Fields = Sequence[tuple[Any, Any]]


class CodedStream(Protocol):
    """A stream, as the compression of its body sees it. What is sent may raise ClientGoneError."""

    head: RequestHead
    is_on_loop: bool

    @property
    def is_current(self) -> bool: ...
    @property
    def is_client_slow(self) -> bool: ...
    def start_coded(self, status: str, choice: Choice) -> None: ...
    def write(self, piece: bytes) -> None: ...
    def finish(self) -> None: ...
    def send_piece(self, piece: bytes) -> None: ...
    def end_coded(self, piece: bytes) -> None: ...
    def abandon(self) -> None: ...
    def run(self) -> None: ...
    def call_soon(self, function: Callable[[], None]) -> None: ...


def code_whole(stream: CodedStream, status: str, fields: Fields, body: bytes) -> tuple[Fields, bytes] | None:
    """Fields and body of a whole response, compressed if that pays. None: it is longer than should be compressed at
    once, and on its way already, in pieces. Raises what `Stream.start` does."""
    head = stream.head
    is_head = head.line.method == "HEAD"
    if not body and not is_head:
        return (confirm(head.fields, fields) if status[:3] == "304" else fields), body
    if type(fields) is not list:
        fields = list(fields)
    if is_head:
        return _for_head(head.fields, status, fields, len(body) or None), b""
    choice = choose(head.fields, status, fields, len(body))
    if choice.coding is None:
        return choice.fields, body
    if choice.length not in (None, len(body)):
        # Not what the app promised: told, and cut, where it is sent.
        return fields, body
    if len(body) <= (TURN_BYTES if stream.is_on_loop else _WHOLE_BYTES):
        return choice.fields, encode(choice.coding, body)
    stream.start_coded(status, choice)
    stream.write(body)
    stream.finish()
    return None


def choose_for_pieces(stream: CodedStream, status: str, fields: Fields) -> Choice:
    """For a response whose body comes in pieces."""
    head = stream.head
    if head.line.method == "HEAD":
        return Choice(None, _for_head(head.fields, status, fields, None, is_lean=stream.is_on_loop))
    return choose(head.fields, status, fields, None, is_lean=stream.is_on_loop)


def _for_head(request: HeaderBlock, status: str, fields: Fields, size: int | None, *, is_lean: bool = False) -> Fields:
    """As GET would have it, but for the length, which nobody knows (RFC 9110 section 9.3.2). Of a response that may
    turn out too short for compression, it is said only that there is a choice."""
    choice = choose(request, status, fields, size, is_lean=is_lean)
    if size is None and choice.length is None:
        return choose(_ANYBODY, status, fields, None).fields
    return choice.fields


class CodedBody:
    """The body of one response. `length`: the bytes that the app promised, None when it did not. `left`: those of them
    that are still to come; below 0: bytes that were cut off."""

    __slots__ = ("_encoder", "_is_due", "_is_ending", "_stream", "_waiting", "left")

    def __init__(self, stream: CodedStream, coding: bytes, length: int | None) -> None:
        self._stream = stream
        self._encoder = encoder(coding, is_lean=stream.is_on_loop)
        self.left = length
        self._waiting: deque[memoryview] = deque()
        # Whether a turn of the loop is coming that will be used for this body.
        self._is_due = False
        self._is_ending = False

    @property
    def is_complete(self) -> bool:
        """Whether the app gave as much as it promised."""
        return self.left is None or self.left <= 0

    @property
    def is_busy(self) -> bool:
        """On the loop: whether this is enough for one turn. `go_on` comes by itself, or with a client that takes what
        it was sent; then `Stream.job` is done."""
        return bool(self._waiting) or self._is_due

    def write(self, piece: bytes) -> None:
        """A piece of the body; the client can read all of it without what comes after it. Raises ClientGoneError."""
        left = self.left
        if left is not None:
            self.left = left - len(piece)
            piece = piece[: max(0, left)]
        if not piece:
            return
        if self._stream.is_on_loop:
            self._waiting.append(memoryview(piece))
            if not self._is_due:
                self._advance()
            return
        view = memoryview(piece)
        while view:
            part, view = view[:_PIECE_BYTES], view[_PIECE_BYTES:]
            self._stream.send_piece(self._encoder.piece(part, flush=not view))

    def finish(self) -> None:
        """The app gave everything."""
        if self._waiting:
            self._is_ending = True
        else:
            self._stream.end_coded(self._encoder.end())

    def go_on(self) -> None:
        """On the loop, in a turn of our own."""
        self._is_due = False
        stream = self._stream
        if not stream.is_current:
            # Given up meanwhile.
            self._waiting.clear()
            return
        try:
            self._advance()
        except PeerError:
            self._waiting.clear()
            if self._is_ending:
                stream.abandon()
        if not self.is_busy and not self._is_ending and not stream.is_client_slow:
            stream.run()

    def _advance(self) -> None:
        """Compress and send as much as one turn may. Raises ClientGoneError."""
        stream = self._stream
        left = TURN_BYTES
        while self._waiting and left > 0 and not stream.is_client_slow:
            view = self._waiting.popleft()
            part, rest = view[:left], view[left:]
            if rest:
                self._waiting.appendleft(rest)
            left -= len(part)
            stream.send_piece(self._encoder.piece(part, flush=not rest))
        if self._is_ending and not self._waiting:
            stream.end_coded(self._encoder.end())
        elif left <= 0 and not stream.is_client_slow:
            self._is_due = True
            stream.call_soon(self.go_on)
