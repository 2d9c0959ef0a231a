"""Chunked bodies (RFC 9112 section 7.1), decoded as they come."""

from __future__ import annotations

import re
from typing import Final

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine, parse_field_line

__all__ = ["ChunkedDecoder"]

# 16 hexadecimal digits are 2^64: nobody sends more honestly.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?").fullmatch
_MAX_SIZE_LINE: Final = 4096
_MAX_TRAILER_BYTES: Final = 16384
# A byte of data may cost this many bytes of chunk headers before we take it for an attack.
_MAX_OVERHEAD: Final = 65536


class ChunkedDecoder:
    """`feed` takes raw bytes and gives the data in them; `is_complete` after the trailers, `rest` then holds what
    came after the body, `trailers` the trailer fields."""

    __slots__ = ("_buffer", "_left", "_overhead", "_state", "is_complete", "rest", "trailers")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._overhead = 0
        self._state = self._size
        self.is_complete = False
        self.rest = b""
        self.trailers: list[FieldLine] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Data of the chunks that `data` completes or begins. Raises ProtocolError 400."""
        self._buffer = self._buffer + data if self._buffer else data
        out: list[bytes] = []
        while self._state(out):
            pass
        if self.is_complete:
            self.rest, self._buffer = self._buffer, b""
        return out

    def _size(self, out: list[bytes]) -> bool:
        line = self._line(_MAX_SIZE_LINE)
        if line is None:
            return False
        match = _SIZE(line)
        if match is None:
            raise ProtocolError(400, "a chunk does not begin with its size")
        self._left = int(match[1], 16)
        self._overhead += len(line)
        if self._left:
            self._overhead = max(0, self._overhead - self._left)
            self._state = self._data
        else:
            self._overhead = 0
            self._state = self._trailer
        if self._overhead > _MAX_OVERHEAD:
            raise ProtocolError(400, "chunk extensions outweigh the data")
        return True

    def _data(self, out: list[bytes]) -> bool:
        buffer = self._buffer
        if not buffer:
            return False
        piece = buffer[: self._left]
        self._buffer = buffer[self._left :]
        self._left -= len(piece)
        out.append(piece)
        if self._left == 0:
            self._state = self._data_end
        return True

    def _data_end(self, out: list[bytes]) -> bool:
        end = self._buffer[:2]
        if not b"\r\n".startswith(end):
            raise ProtocolError(400, "a chunk is longer than its size")
        if len(end) < 2:
            return False
        self._buffer = self._buffer[2:]
        self._state = self._size
        return True

    def _trailer(self, out: list[bytes]) -> bool:
        line = self._line(_MAX_TRAILER_BYTES - self._overhead)
        if line is None:
            return False
        if not line:
            self.is_complete = True
            return False
        self._overhead += len(line)
        self.trailers.append(parse_field_line(line))
        return True

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end > limit or (end < 0 and len(self._buffer) > limit):
            raise ProtocolError(400, "a chunk's size line or the trailers are too long")
        if end < 0:
            return None
        if end == 0 or self._buffer[end - 1] != 13:
            raise ProtocolError(400, "a line of a chunked body does not end in CRLF")
        line, self._buffer = self._buffer[: end - 1], self._buffer[end + 1 :]
        return line
