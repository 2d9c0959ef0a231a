"""A request's body on its way from the loop thread to the app that reads it.

A small body is collected whole before an app thread is bothered with it, so a slow client costs no thread. A larger
one waits on disk (engine.spooled_body); where it may not, it is handed over when `START_BYTES` are there, and streams
from then on with back-pressure: the connection is not read while `HIGH_BYTES` wait for the app.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from skitaid.engine.errors import BodyError
from skitaid.engine.threads import AppThreads
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ProtocolError

__all__ = ["HIGH_BYTES", "START_BYTES", "BodySink", "RequestBody"]

START_BYTES: Final = 131072
HIGH_BYTES: Final = 262144
_LOW_BYTES: Final = 65536
_MAX_PIECES: Final = 512


class BodySink(Protocol):
    """Where a request's body goes, on the loop thread; `received` is in bytes."""

    received: int
    before_read: Callable[[], None] | None

    @property
    def is_complete(self) -> bool: ...
    def feed(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def fail(self, error: PeerError) -> None: ...


class RequestBody:
    """The loop thread calls `feed`, `end` and `fail`; one app thread reads, as PEP 3333 has it of `wsgi.input`.

    `on_ready` is called on the loop thread, once, when an app can begin with it. `set_reading` pauses (False) and
    resumes (True) the connection; it may be called from any thread. `limit` is in bytes, None for no limit.
    `is_whole`: the app runs where it can't wait, so it begins when everything is there, however much that is.
    `threads`: those of which the reading one may step aside while it waits; `is_promised`: they let it, whatever else
    they do.
    """

    __slots__ = (
        "_change",
        "_error",
        "_is_complete",
        "_is_paused",
        "_is_ready",
        "_is_whole",
        "_on_ready",
        "_pieces",
        "_rest",
        "_set_reading",
        "_waiting",
        "before_read",
        "is_promised",
        "limit",
        "received",
        "threads",
    )

    def __init__(
        self,
        on_ready: Callable[[], None],
        set_reading: Callable[[bool], None],
        *,
        limit: int | None = None,
        is_whole: bool = False,
    ) -> None:
        self._on_ready = on_ready
        self._set_reading = set_reading
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._rest = b""
        self._is_ready = self._is_complete = self._is_paused = False
        self._error: PeerError | None = None
        # Made when an app begins with what is not complete: until then the loop thread is alone with it.
        self._change: threading.Condition | None = None
        self.before_read: Callable[[], None] | None = None
        self.received = 0
        self.limit = limit
        self._is_whole = is_whole
        self.threads: AppThreads | None = None
        self.is_promised = False

    # ------------------------------------------------------------ the loop thread

    def feed(self, data: bytes) -> None:
        """More of the body. Raises ProtocolError 413 above the limit."""
        self.received += len(data)
        if self.limit is not None and self.received > self.limit:
            raise ProtocolError(413, f"the body is longer than {self.limit} bytes")
        change = self._change
        if change is None:
            self._pieces.append(data)
            self._waiting += len(data)
            self._collect(self._waiting)
            return
        with change:
            self._pieces.append(data)
            self._waiting += len(data)
            waiting = self._waiting
            change.notify()
        if waiting > HIGH_BYTES and not self._is_paused:
            self._pause(change)

    def _collect(self, waiting: int) -> None:
        """No app has begun with it, and so many bytes are there."""
        if waiting >= START_BYTES and not self._is_whole:
            self._make_ready()
        else:
            self._compact()

    def _compact(self) -> None:
        """Nobody reads yet. A client that sends byte by byte must not cost fifty times what it sends."""
        if len(self._pieces) > _MAX_PIECES:
            whole = b"".join(self._pieces)
            self._pieces.clear()
            self._pieces.append(whole)

    def _pause(self, change: threading.Condition) -> None:
        self._set_reading(False)
        with change:
            # The app may have read it all meanwhile, when there was no pause yet that it could have ended.
            self._is_paused = self._waiting >= _LOW_BYTES
        if not self._is_paused:
            self._set_reading(True)

    def end(self) -> None:
        """The body is complete."""
        change = self._change
        if change is None:
            self._is_complete = True
            self._make_ready()
            return
        with change:
            self._is_complete = True
            change.notify()

    def fail(self, error: PeerError) -> None:
        """The rest will not come."""
        change = self._change
        if change is None:
            self._error = error
            return
        with change:
            self._error = error
            change.notify()

    def start_early(self) -> bool:
        """Hand the body over now, before anything of it came (Expect: 100-continue). False: no thread may wait for it,
        it is to be collected."""
        if not self.promise(is_needed=False):
            return False
        self._make_ready()
        return True

    def promise(self, *, is_needed: bool) -> bool:
        """Whether an app may begin with it as it is, and wait for the rest in a thread. See AppThreads.promise."""
        if self._is_complete or self.is_promised or self.threads is None:
            return True
        self.is_promised = self.threads.promise(is_needed=is_needed)
        return self.is_promised

    def _make_ready(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            if not self._is_complete:
                self._change = threading.Condition(threading.Lock())
            on_ready, self._on_ready = self._on_ready, _nothing
            on_ready()

    # ------------------------------------------------------------ the app's side

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been received."""
        return self._is_complete

    def file(self) -> io.BytesIO | io.BufferedReader | RequestBody:
        """What the app reads from, at the time when it begins: the quickest thing there is."""
        if not self._is_complete:
            return self
        pieces = self._pieces
        return io.BytesIO(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def close(self) -> None:
        """The request is over. From any thread, but by one alone."""
        if self.is_promised and self.threads is not None:
            self.is_promised = False
            self.threads.take_promise_back()

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end; everything when negative. Raises BodyError."""
        if size is None or size < 0:
            return b"".join(iter(self._next, b""))
        parts = []
        while size > 0:
            piece = self._next()
            if not piece:
                break
            if len(piece) > size:
                self._rest = piece[size:]
                piece = piece[:size]
            size -= len(piece)
            parts.append(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """A line with its end, or `size` bytes of it."""
        limit = -1 if size is None or size < 0 else size
        parts: list[bytes] = []
        total = 0
        while limit < 0 or total < limit:
            piece = self._next()
            if not piece:
                break
            end = piece.find(b"\n") + 1 or len(piece)
            if limit >= 0:
                end = min(end, limit - total)
            self._rest = piece[end:]
            parts.append(piece[:end])
            total += end
            if parts[-1].endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Lines until the end, or until `hint` bytes are read."""
        lines: list[bytes] = []
        total = 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _next(self) -> bytes:
        """The next piece, b"" at the end; waits for it."""
        if self._rest:
            piece, self._rest = self._rest, b""
            return piece
        if self.before_read is not None:
            before, self.before_read = self.before_read, None
            before()
        change = self._change
        if change is None:
            # Complete before the app began.
            return self._pieces.popleft() if self._pieces else b""
        if not self._pieces and not self._is_complete:
            self._wait_aside(change)
        with change:
            if not self._wait_for_piece(change):
                return b""
            piece = self._pieces.popleft()
            self._waiting -= len(piece)
            resume = self._is_paused and self._waiting < _LOW_BYTES
            if resume:
                self._is_paused = False
        if resume:
            self._set_reading(True)
        return piece

    def _wait_aside(self, change: threading.Condition) -> None:
        """Let another thread have our place while the client takes its time."""
        threads = self.threads
        if threads is None or not threads.step_aside(is_promised=self.is_promised):
            return
        try:
            with change:
                self._wait_for_piece(change)
        finally:
            threads.step_back()

    def _wait_for_piece(self, change: threading.Condition) -> bool:
        """Under the lock: False at the end of the body. Raises BodyError."""
        while not self._pieces:
            if self._is_complete:
                return False
            if self._error is not None:
                raise BodyError(str(self._error)) from self._error
            # Bounded by the connection's own time-out, which calls `fail`.
            change.wait()
        return True


def _nothing() -> None:
    """Called after the only call."""
