"""A request's body that waits on disk while no app has begun with it.

What comes in is collected in memory and written by a disk thread, one order at a time; the connection is not read while
the disk is behind. The app begins when all is written, and reads from the file; or, when the body outgrows the spool,
with what is there, and takes the rest as it comes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, Protocol

from skitaid.engine.body import HIGH_BYTES, START_BYTES, RequestBody
from skitaid.engine.spool import Spool, SpoolFile
from skitaid.engine.threads import AppThreads
from skitaid.protocols.errors import ProtocolError

__all__ = ["SpooledBody", "make_body"]

_WRITE_BYTES: Final = 32768
"""What is collected before it is written: a thousand slow uploads hold 32 MB."""
_BLOCK_BYTES: Final = 65536


class BodyEngine(Protocol):
    """The engine, as a body sees it; see engine.stream.StreamEngine."""

    spool: Spool | None
    threads: AppThreads | None


class BodyConnection(Protocol):
    """The connection that a body comes by; see engine.stream.StreamConnection."""

    @property
    def engine(self) -> BodyEngine: ...
    def set_reading(self, is_on: bool) -> None: ...


class SpooledBody(RequestBody):
    """A request's body of which a long one is kept on disk. `on_failure` is called on the loop thread when the body
    can't be kept. `is_large`: that its length is START_BYTES or more is known from the beginning, so nothing is gained
    by collecting that much."""

    __slots__ = ("_file", "_is_closed", "_is_writing", "_offset", "_spool", "is_large", "on_failure")

    def __init__(
        self,
        on_ready: Callable[[], None],
        set_reading: Callable[[bool], None],
        spool: Spool,
        *,
        limit: int | None = None,
        is_whole: bool = False,
    ) -> None:
        super().__init__(on_ready, set_reading, limit=limit, is_whole=is_whole)
        self._spool = spool
        self._file: SpoolFile | None = None
        self._offset = 0
        self._is_writing = self._is_closed = False
        self.is_large = False
        self.on_failure: Callable[[ProtocolError], None] = _ignore

    # ------------------------------------------------------------ the loop thread

    def end(self) -> None:
        if self._is_ready or self._file is None:
            super().end()
            return
        self._is_complete = True
        if not self._is_writing:
            self._go_on()

    def close(self) -> None:
        super().close()
        self._is_closed = True
        if self._file is not None:
            self._file.close()

    def _collect(self, waiting: int) -> None:
        if self._is_writing:
            if waiting > HIGH_BYTES and not self._is_paused:
                self._is_paused = True
                self._set_reading(False)
        elif waiting >= (START_BYTES if self._file is None and not self.is_large else _WRITE_BYTES):
            self._write()
        self._compact()

    def _write(self) -> None:
        if self._file is None:
            self._file = self._spool.make_file()
        pieces = list(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._is_writing = True
        self._spool.write(self._file, pieces, self._written)

    def _written(self, is_fine: bool) -> None:
        self._is_writing = False
        if self._is_closed or self._error is not None:
            return
        if not is_fine:
            self.on_failure(ProtocolError(507, "there is no room for a body of this length now"))
            return
        self._go_on()
        if self._is_paused and not self._is_complete:
            # What was collected meanwhile is on its way to the disk by now.
            self._is_paused = False
            self._set_reading(True)

    def _go_on(self) -> None:
        """The file holds all that was taken for it: write more, or let the app begin."""
        assert self._file is not None
        if self._is_complete:
            if self._pieces:
                self._write()
            else:
                self._make_ready()
        elif not self._is_whole and self._file.size > self._spool.settings.limit_bytes:
            self._make_ready()
        elif self._waiting >= _WRITE_BYTES:
            self._write()

    def _make_ready(self) -> None:
        # Whoever made this body need not be kept by it any more.
        self.on_failure = _ignore
        super()._make_ready()

    # ------------------------------------------------------------ the app's side

    def file(self) -> io.BytesIO | io.BufferedReader | RequestBody:
        if self._file is None:
            return super().file()
        return self._file.reader() if self._is_complete and not self._pieces else self

    def _next(self) -> bytes:
        file = self._file
        if self._rest or file is None or self._offset >= file.size:
            return super()._next()
        buffer = bytearray(min(_BLOCK_BYTES, file.size - self._offset))
        count = file.read_at(self._offset, buffer)
        self._offset += count
        return bytes(buffer[:count])


def make_body(
    connection: BodyConnection,
    on_ready: Callable[[], None],
    *,
    length: int | None,
    limit: int | None,
    is_streamed: bool,
) -> RequestBody:
    """Where a body of `length` (None: it is not known) is to wait until an app begins with it; `is_streamed`: it begins
    before all is there."""
    spool, threads = connection.engine.spool, connection.engine.threads
    is_whole = threads is None
    is_small = length is not None and length < START_BYTES
    body: RequestBody
    if spool is None or is_small or (is_streamed and not is_whole) or not spool.takes(length, is_whole=is_whole):
        body = RequestBody(on_ready, connection.set_reading, limit=limit, is_whole=is_whole)
    else:
        body = SpooledBody(on_ready, connection.set_reading, spool, limit=limit, is_whole=is_whole)
        body.is_large = length is not None
    body.threads = threads
    return body


def _ignore(error: ProtocolError) -> None:
    """Nobody is there to be told."""
