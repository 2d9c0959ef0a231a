"""A response's body on its way to any number of receivers, each at its own pace. On the loop thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skitaid.upstream.call import Fields, Receiver
from skitaid.upstream.errors import UpstreamError

__all__ = ["BodyPipe", "Pipe", "Reader"]

BEHIND_BYTES: Final = 65536
"""What may wait for the slowest reader, where nothing is kept, before its source is held back."""
_PIECE_BYTES: Final = 262144


class Reader:
    """One receiver that hears a pipe. It hears nothing after `stop`."""

    __slots__ = ("_is_telling", "at", "is_over", "is_paused", "on_over", "pipe", "receiver")

    def __init__(self, pipe: Pipe, receiver: Receiver, on_over: Callable[[], None]) -> None:
        self.pipe = pipe
        self.receiver = receiver
        self.on_over = on_over
        self.at = 0
        self.is_paused = self.is_over = self._is_telling = False

    def pause(self) -> None:
        self.is_paused = True
        self.pipe.look()

    def resume(self) -> None:
        self.is_paused = False
        self.tell()
        self.pipe.look()

    def stop(self) -> None:
        """It left."""
        if not self.is_over:
            self.is_over = True
            self.pipe.left(self)

    def tell(self) -> None:
        """Tell the receiver what is there for it."""
        if self._is_telling:
            # The receiver resumes inside of what it is told.
            return
        self._is_telling = True
        try:
            self._tell()
        finally:
            self._is_telling = False

    def _tell(self) -> None:
        pipe = self.pipe
        while not self.is_paused and not self.is_over:
            piece = pipe.piece(self.at)
            if piece is not None:
                self.at += 1
                self.receiver.on_data(piece)
            elif pipe.is_ended:
                self._end(pipe.failure)
            else:
                return

    def _end(self, failure: UpstreamError | None) -> None:
        self.is_over = True
        if failure is None:
            self.receiver.on_end(self.pipe.trailers)
        else:
            self.receiver.on_failure(failure)
        self.on_over()
        self.pipe.left(self)


class Pipe:
    """Pieces come by `add`, then `end` or `fail`. `is_kept`: all of them stay, for those who come later; else each is
    let go when every reader heard it. `hold_back` is called with True when readers are behind, then with False."""

    def __init__(self, hold_back: Callable[[bool], None], on_change: Callable[[int], None] | None = None) -> None:
        self.readers: list[Reader] = []
        self.pieces: list[bytes] = []
        self.is_kept = True
        self.is_ended = False
        self.failure: UpstreamError | None = None
        self.trailers: Fields = ()
        self.held_bytes = 0
        self._first = 0
        self._hold_back = hold_back
        self._is_held = False
        self._on_change = on_change

    def attach(self, receiver: Receiver, on_over: Callable[[], None]) -> Reader:
        """A reader from the first piece on; only while `is_kept`, or before there is any. `on_over` is called after the
        receiver heard its last. Nothing is told before `Reader.tell`."""
        reader = Reader(self, receiver, on_over)
        self.readers.append(reader)
        return reader

    def piece(self, at: int) -> bytes | None:
        """Piece number `at`; None when there is none, or none yet."""
        index = at - self._first
        return self.pieces[index] if index < len(self.pieces) else None

    def add(self, data: bytes) -> None:
        self.pieces.append(data)
        self._account(len(data))
        self._tell_all()
        self.look()

    def end(self, trailers: Fields = ()) -> None:
        self.trailers = trailers
        self.is_ended = True
        self._tell_all()

    def fail(self, error: UpstreamError) -> None:
        """There will be no end."""
        self.failure = error
        self.end()

    def flush(self) -> None:
        """Nothing more is there for now."""
        for reader in tuple(self.readers):
            if not reader.is_over and not reader.is_paused:
                reader.receiver.on_flush()

    def let_go(self) -> None:
        """Keep no longer what everybody heard: nobody will come any more."""
        self.is_kept = False
        self.look()

    def left(self, reader: Reader) -> None:
        """A reader is done."""
        if reader in self.readers:
            self.readers.remove(reader)
        self.look()

    def look(self) -> None:
        """Let go of what is not needed, and hold the source back, or no longer."""
        if self.is_kept:
            return
        self._trim()
        if self.is_ended:
            return
        is_behind = self.held_bytes > BEHIND_BYTES or (bool(self.readers) and all(r.is_paused for r in self.readers))
        if is_behind != self._is_held:
            self._is_held = is_behind
            self._hold_back(is_behind)

    def _trim(self) -> None:
        needed = min((reader.at for reader in self.readers), default=self._first + len(self.pieces))
        gone = needed - self._first
        if gone > 0:
            self._account(-sum(len(piece) for piece in self.pieces[:gone]))
            del self.pieces[:gone]
            self._first = needed

    def _account(self, count: int) -> None:
        self.held_bytes += count
        if self._on_change is not None:
            self._on_change(count)

    def _tell_all(self) -> None:
        for reader in tuple(self.readers):
            reader.tell()


class BodyPipe(Pipe):
    """All of a body, for one reader; cut into pieces as it takes them. `on_change` as with a Pipe."""

    def __init__(self, body: bytes, on_change: Callable[[int], None] | None) -> None:
        super().__init__(_nobody, on_change)
        self.is_ended = True
        self._body = body
        self._account(len(body))

    def piece(self, at: int) -> bytes | None:
        body = self._body
        if len(body) <= _PIECE_BYTES:
            return body if not at else None
        return body[at * _PIECE_BYTES : (at + 1) * _PIECE_BYTES] or None

    def left(self, reader: Reader) -> None:
        if reader in self.readers:
            self.readers.remove(reader)
            self._body = b""
            self._account(-self.held_bytes)


def _nobody(is_on: bool) -> None:
    """All of it is here: there is nobody to be held back."""
