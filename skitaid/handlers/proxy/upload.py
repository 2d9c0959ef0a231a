"""Requests with a body on their way through a proxy.

A body is kept until it is complete, a long one on disk, and only then is a member called: who uploads slowly takes no
connection of a member's, and a call whose body is at hand can be made again elsewhere. With `stream = yes`, or a body
that the spool has no room for, the member gets it as it comes, and whoever is slow holds back the other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from skitaid.engine.body import HIGH_BYTES, START_BYTES
from skitaid.engine.disk import DiskThreads
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.spool import Spool, SpoolFile
from skitaid.engine.stream import Stream
from skitaid.handlers.proxy.proxied_request import ProxiedRequest, Proxy
from skitaid.handlers.proxy.rewrite import Rewrite
from skitaid.protocols.errors import ProtocolError

__all__ = ["BodyBuffering", "Upload"]

_WRITE_BYTES: Final = 32768
_BLOCK_BYTES: Final = 262144
_MAX_PIECES: Final = 512
_EXPECT_S: Final = 1.0
"""A member that keeps silent about a body that was announced gets it unasked; some never ask."""


@dataclass(frozen=True, slots=True)
class BodyBuffering:
    """What holds for the bodies of a mount. `limit`: in bytes, None for none. `is_streamed`: members get them as they
    come. `spool` None: long ones are streamed too."""

    limit: int | None
    is_streamed: bool
    spool: Spool | None
    disk: DiskThreads


class Upload(ProxiedRequest):
    """A ProxiedRequest for a request with a body."""

    __slots__ = (
        "_buffering", "_file", "_is_blocked", "_is_busy", "_is_reading_paused", "_is_sending", "_is_sent", "_offset",
        "_pieces", "_waiting",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, stream: Stream, rewrite: Rewrite, buffering: BodyBuffering) -> None:
        super().__init__(proxy, stream, rewrite)
        self._buffering = buffering
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._file: SpoolFile | None = None
        self._offset = 0
        self._is_busy = self._is_sending = self._is_sent = self._is_blocked = self._is_reading_paused = False
        self.is_complete = False

    def start(self) -> None:
        """The head is there."""
        stream, buffering = self.stream, self._buffering
        stream.is_dispatched = True
        stream.job = self.go_on
        if stream.head.fields.expects_continue and stream.head.line.minor:
            self.before_read = stream.send_continue
        if buffering.is_streamed:
            self._send()
            if self.before_read is not None:
                stream.connection.engine.loop.call_later(_EXPECT_S, self._ask)
        elif not stream.connection.bytes_ahead:
            self._ask()

    def _ask(self) -> None:
        """For the body that the client announced, if it wants to be asked."""
        if self.is_over or self.before_read is None:
            return
        before, self.before_read = self.before_read, None
        try:
            before()
        except ClientGoneError:
            # The poller tells the connection of it in its own time.
            return

    def _asked_for_body(self) -> None:
        self._ask()

    # ------------------------------------------------------------ from the client

    def feed(self, data: bytes) -> None:
        """More of the body. Raises ProtocolError 413 above the limit."""
        self.received += len(data)
        # Nobody needs to be asked for what comes by itself.
        self.before_read = None
        limit = self._buffering.limit
        if limit is not None and self.received > limit:
            raise ProtocolError(413, f"the body is longer than {limit} bytes")
        if self.is_over:
            return
        self._pieces.append(data)
        self._waiting += len(data)
        if self._is_sending:
            self._pass_on()
        else:
            self._keep()
        if self._waiting > HIGH_BYTES and not self._is_reading_paused and not self.is_over:
            self._is_reading_paused = True
            self.stream.connection.set_reading(False)

    def end(self) -> None:
        """The body is complete."""
        self.is_complete = True
        if self.is_over:
            return
        if self._is_sending:
            self._pass_on()
        elif self._file is None:
            self._is_sending = self._is_sent = True
            self.begin(self._take())
        elif not self._is_busy:
            self._keep()

    # ------------------------------------------------------------ keeping it

    def _keep(self) -> None:
        """No member was called yet: on disk with what is too much for memory; if there is no room, off with it."""
        if self._is_busy:
            self._compact()
            return
        file = self._file
        if file is None:
            if self._waiting < START_BYTES:
                self._compact()
            elif self._takes():
                self._put_on_disk()
            else:
                self._send()
        elif self.is_complete:
            if self._pieces:
                self._put_on_disk()
            else:
                self._send()
        elif self._outgrows(file):
            self._send()
        elif self._waiting >= _WRITE_BYTES:
            self._put_on_disk()

    def _compact(self) -> None:
        # A client that sends byte by byte must not cost fifty times what it sends.
        if len(self._pieces) > _MAX_PIECES:
            self._pieces = deque((b"".join(self._pieces),))

    def _takes(self) -> bool:
        spool = self._buffering.spool
        return spool is not None and spool.takes(self.stream.head.content_length, is_whole=False)

    def _outgrows(self, file: SpoolFile) -> bool:
        spool = self._buffering.spool
        return spool is not None and file.size > spool.settings.limit_bytes

    def _put_on_disk(self) -> None:
        spool = self._buffering.spool
        assert spool is not None
        if self._file is None:
            self._file = spool.make_file()
        pieces = list(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._is_busy = True
        spool.write(self._file, pieces, self._written)

    def _written(self, is_fine: bool) -> None:
        self._is_busy = False
        stream = self.stream
        if self.is_over or not stream.is_current:
            return
        if not is_fine:
            stream.connection.refuse_request(ProtocolError(507, "there is no room for a body of this length now"))
            return
        self._read_on()
        self._keep()

    # ------------------------------------------------------------ passing it on

    def _send(self) -> None:
        """Call a member, and give it what is here."""
        file, length = self._file, self.stream.head.content_length
        if self.is_complete and file is not None:
            length = file.size
        self._is_sending = True
        self.begin(None, length)
        if not self.is_over:
            self._pass_on()

    def on_writable(self) -> None:
        """Of the exchange."""
        self._is_blocked = False
        if not self.is_over:
            self._pass_on()

    def _pass_on(self) -> None:
        """What is on disk, then what is in memory, as long as the member takes it."""
        exchange = self._exchange
        while exchange is not None and not self._is_blocked and not self._is_busy:
            if self._file is not None and self._offset < self._file.size:
                self._read_block(self._file)
                return
            if self._pieces:
                self._is_blocked = not exchange.send(self._take())
                # What is sent may be the end of it all.
                exchange = self._exchange
                continue
            if self.is_complete and not self._is_sent:
                self._is_sent = True
                exchange.end()
            break
        self._read_on()

    def _take(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._waiting = 0
        return data

    def _read_block(self, file: SpoolFile) -> None:
        """A disk thread does, and `_pass_on` goes on after it."""
        buffer = bytearray(min(_BLOCK_BYTES, file.size - self._offset))
        counts: list[int] = []
        offset = self._offset

        def work() -> None:
            try:
                counts.append(file.read_at(offset, buffer))
            except (OSError, ValueError):
                # It is closed, or can't be read: told by there being no count.
                return

        self._is_busy = True
        self._buffering.disk.do(work, lambda: self._block_read(buffer, counts))

    def _block_read(self, buffer: bytearray, counts: list[int]) -> None:
        self._is_busy = False
        exchange = self._exchange
        if self.is_over or exchange is None:
            return
        count = counts[0] if counts else 0
        if not count:
            self._refuse(ProtocolError(500, "the body of the request could not be read again"))
            return
        self._offset += count
        self._is_blocked = not exchange.send(bytes(buffer[:count]))
        self._pass_on()

    def _read_on(self) -> None:
        """There is room again for what the client sends."""
        if self._is_reading_paused and self._waiting <= HIGH_BYTES // 4 and not self.is_over:
            self._is_reading_paused = False
            self.stream.connection.set_reading(True)

    # ------------------------------------------------------------ the end

    def _let_go(self) -> None:
        if self._is_reading_paused and not self.stream.connection.is_broken:
            # What still comes is thrown away, or the client would never see the answer.
            self._is_reading_paused = False
            self.stream.connection.set_reading(True)
        super()._let_go()
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
