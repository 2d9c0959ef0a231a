"""gRPC over HTTP/2: messages in a body, what a call ended with, how long it may take. Nothing here knows what messages
are made of.

After the protocol's own description, "gRPC over HTTP2".
"""

from __future__ import annotations

import zlib
from enum import IntEnum
from math import ceil
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = ["CONTENT_TYPE", "Deframer", "GrpcCode", "GrpcFormatError", "frame", "message_text", "read_code",
           "timeout_value", "uncompressed"]  # fmt: skip

CONTENT_TYPE: Final = "application/grpc+proto"

_PREFIX_BYTES: Final = 5
_MAX_DIGITS: Final = 8
_UNITS: Final = (("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("S", 1.0), ("M", 60.0), ("H", 3600.0))


class GrpcCode(IntEnum):
    """What a call ended with (grpc-status)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def http_status(self) -> int:
        """The status of HTTP that says the same (google.rpc.Code)."""
        return _HTTP[self]


_HTTP: Final = {
    GrpcCode.OK: 200, GrpcCode.CANCELLED: 499, GrpcCode.UNKNOWN: 500, GrpcCode.INVALID_ARGUMENT: 400,
    GrpcCode.DEADLINE_EXCEEDED: 504, GrpcCode.NOT_FOUND: 404, GrpcCode.ALREADY_EXISTS: 409,
    GrpcCode.PERMISSION_DENIED: 403, GrpcCode.RESOURCE_EXHAUSTED: 429, GrpcCode.FAILED_PRECONDITION: 400,
    GrpcCode.ABORTED: 409, GrpcCode.OUT_OF_RANGE: 400, GrpcCode.UNIMPLEMENTED: 501, GrpcCode.INTERNAL: 500,
    GrpcCode.UNAVAILABLE: 503, GrpcCode.DATA_LOSS: 500, GrpcCode.UNAUTHENTICATED: 401,
}  # fmt: skip


class GrpcFormatError(ValueError):
    """What came are no messages of gRPC."""


def frame(message: bytes) -> bytes:
    """A message as it stands in a body: not compressed, its length before it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Deframer:
    """Bytes of a body in, messages out, in whatever pieces they come. None may be longer than `max_bytes`, nor all that
    one `feed` gives.

    `coding`: grpc-encoding of the response: identity, gzip or deflate.
    """

    def __init__(self, max_bytes: int, coding: str = "identity") -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._coding = coding

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises GrpcFormatError."""
        buffer = self._buffer
        buffer += data
        messages = []
        start, room = 0, self._max_bytes
        while len(buffer) - start >= _PREFIX_BYTES:
            length = int.from_bytes(buffer[start + 1 : start + _PREFIX_BYTES], "big")
            if length > self._max_bytes:
                raise GrpcFormatError(f"a message of {length} bytes, the limit is {self._max_bytes}")
            end = start + _PREFIX_BYTES + length
            if len(buffer) < end:
                break
            message = self._message(buffer[start], bytes(buffer[start + _PREFIX_BYTES : end]), room)
            messages.append(message)
            start, room = end, room - len(message)
        del buffer[:start]
        return messages

    @property
    def is_between(self) -> bool:
        """Whether no message is left unfinished."""
        return not self._buffer

    def _message(self, flag: int, data: bytes, room: int) -> bytes:
        if flag == 0:
            return data  # what came uncompressed was counted when it came
        if flag != 1:
            raise GrpcFormatError(f"the flag before a message is {flag}, expected 0 or 1")
        return uncompressed(data, self._coding, room)


def uncompressed(data: bytes, coding: str, max_bytes: int) -> bytes:
    """A compressed message. Raises GrpcFormatError."""
    if coding not in ("gzip", "deflate"):
        raise GrpcFormatError(f"a message is compressed by {coding!r:.40}, expected gzip or deflate")
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        found = decoder.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise GrpcFormatError(f"a compressed message is broken: {error}") from error
    if len(found) > max_bytes:
        raise GrpcFormatError(f"a message has more than {max_bytes} bytes")
    if not decoder.eof:
        raise GrpcFormatError("a compressed message ends before its end")
    return found


def timeout_value(seconds: float) -> bytes:
    """The value of grpc-timeout: eight digits at most and a unit; rounded up."""
    for unit, size in _UNITS:
        amount = ceil(round(seconds / size, 3))  # 0.1 s are not 100001 µs
        if len(str(amount)) <= _MAX_DIGITS:
            return f"{amount}{unit}".encode("ascii")
    return b"99999999H"


def read_code(value: bytes) -> GrpcCode:
    """grpc-status. Numbers that there is none of yet are UNKNOWN. Raises GrpcFormatError for what is not a number."""
    if not (value.isdigit() and len(value) <= 3):
        raise GrpcFormatError(f"grpc-status is {value!r:.40}, expected a number")
    number = int(value)
    return GrpcCode(number) if number <= max(GrpcCode) else GrpcCode.UNKNOWN


def message_text(value: bytes) -> str:
    """grpc-message, which is percent-encoded."""
    return unquote_to_bytes(value).decode("utf-8", "replace")
