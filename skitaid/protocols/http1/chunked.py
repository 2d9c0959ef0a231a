"""Chunked bodies (RFC 9112 section 7.1), decoded as they come."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine, parse_field_line

__all__ = ["ChunkedDecoder"]

# 16 hexadecimal digits are 2^64: nobody sends more honestly.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?").fullmatch
_MAX_SIZE_LINE: Final = 4096
_MAX_TRAILER_BYTES: Final = 16384
# So many bytes of chunk headers beyond the data they announce are taken for an attack (RFC 9112 section 7.1.1).
_MAX_OVERHEAD: Final = 65536


class ChunkedDecoder:
    """Takes the chunked coding off a body (RFC 9112 section 7.1). `feed` takes raw bytes and gives the data in them;
    `is_complete` after the trailers, `rest` then holds what came after the body, `trailers` the trailer fields."""

    __slots__ = ("_at", "_buffer", "_left", "_overhead", "_step", "is_complete", "rest", "trailers")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._left = 0
        self._overhead = 0
        self._step = _SIZE_STEP
        self.is_complete = False
        self.rest = b""
        self.trailers: list[FieldLine] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Data of the chunks that `data` completes or begins. Raises ProtocolError 400."""
        self._buffer = self._buffer + data if self._buffer else data
        self._at = 0
        out: list[bytes] = []
        while self._step(self, out):
            pass
        rest = self._buffer[self._at :]
        if self.is_complete:
            self.rest, self._buffer = rest, b""
        else:
            self._buffer = rest
        return out

    # Each step takes what it can from `_buffer` at `_at` and says whether another can be made.

    def _size(self, out: list[bytes]) -> bool:
        line = self._line(_MAX_SIZE_LINE)
        if line is None:
            return False
        match = _SIZE(line)
        if match is None:
            raise ProtocolError(400, "a chunk does not begin with its size")
        self._left = int(match[1], 16)
        if not self._left:
            self._overhead = 0
            self._step = _TRAILER_STEP
            return True
        self._overhead = max(0, self._overhead + len(line) - self._left)
        if self._overhead > _MAX_OVERHEAD:
            raise ProtocolError(400, "chunk extensions outweigh the data")
        self._step = _DATA_STEP
        return True

    def _data(self, out: list[bytes]) -> bool:
        piece = self._buffer[self._at : self._at + self._left]
        if not piece:
            return False
        out.append(piece)
        self._at += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = _DATA_END_STEP
        return True

    def _data_end(self, out: list[bytes]) -> bool:
        end = self._buffer[self._at : self._at + 2]
        if end != b"\r\n":
            if end and end != b"\r":
                raise ProtocolError(400, "a chunk is longer than its size")
            return False
        self._at += 2
        self._step = _SIZE_STEP
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
        """The next line without its CRLF; None when its end is not there yet."""
        buffer, begin = self._buffer, self._at
        end = buffer.find(b"\n", begin)
        if (len(buffer) if end < 0 else end) - begin > limit + 1:
            raise ProtocolError(400, "a chunk's size line or the trailers are too long")
        if end < 0:
            return None
        if end == begin or buffer[end - 1] != 13:
            raise ProtocolError(400, "a line of a chunked body does not end in CRLF")
        self._at = end + 1
        return buffer[begin : end - 1]


# Plain functions: a bound method kept in its own object would make each decoder garbage that only a collection finds.
_Step = Callable[[ChunkedDecoder, list[bytes]], bool]
_SIZE_STEP: Final[_Step] = ChunkedDecoder._size
_DATA_STEP: Final[_Step] = ChunkedDecoder._data
_DATA_END_STEP: Final[_Step] = ChunkedDecoder._data_end
_TRAILER_STEP: Final[_Step] = ChunkedDecoder._trailer
