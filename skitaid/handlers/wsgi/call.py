"""One call of a WSGI app (PEP 3333): its `start_response`, and its body on the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from skitaid.engine.coding import MIN_BYTES
from skitaid.engine.stream import Stream
from skitaid.handlers.wsgi.file_wrapper import FileWrapper, segment_of
from skitaid.protocols.errors import ResponseError
from skitaid.was.context import Bound

__all__ = ["TOO_LONG", "TOO_SHORT", "Call", "pieces_of"]

TOO_SHORT: Final = "the app sent fewer bytes than its Content-Length promises"
TOO_LONG: Final = "the app sent more bytes than its Content-Length promises; they were cut off"


class Call(Bound):
    """One call of an app: its `start_response`, and the way its body goes out. `is_whole`: the response is
    out, though the app may not have come to its end; `has_more`: the app gave more after that. `is_file`: the body is
    a wrapped file, of which as much is sent as the length says. `more_fields` go along with a response that came
    later."""

    __slots__ = (
        "fields", "has_more", "is_file", "is_whole", "is_written", "more_fields", "piece_count", "rest", "status",
    )  # fmt: skip

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.memory = self.container = None
        self.status = ""
        self.fields: list[tuple[str, str]] = []
        self.is_written = self.is_whole = self.has_more = self.is_file = False
        self.more_fields: Sequence[tuple[str, str]] = ()
        self.piece_count: int | None = None
        self.rest: Iterator[Any] | None = None

    def start_response(self, status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Callable[[Any], None]:
        """That of PEP 3333. A method is called in half the time that an object with `__call__` takes."""
        if exc_info is not None:
            try:
                if self.is_written:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise ResponseError("start_response was called a second time without exc_info")
        self.status = status
        self.fields = fields
        return self.write

    def write(self, piece: Any) -> None:
        """Send a piece; the head goes before the first that is not empty."""
        if type(piece) is not bytes:
            piece = _as_bytes(piece)
        if not piece:
            return
        if self.is_whole:
            self.has_more = True
            return
        if not self.is_written:
            self._begin(piece)
        if not self.is_whole:
            self.stream.write(piece)

    def send_file(self, wrapper: FileWrapper) -> bool:
        """Have the kernel send a file. False: it is to be read. Raises ResponseError, ClientGoneError."""
        length = None if self.is_written else self._promised()
        segment = None if self.is_written or not self.status else segment_of(wrapper, length)
        if segment is None:
            return False
        fields = self.fields if length is not None else [*self.fields, ("Content-Length", str(len(segment)))]
        is_ours = False
        try:
            self.stream.start(self.status, fields)
            is_ours = self.stream.coded is None
        finally:
            if not is_ours:
                segment.close()
        self.is_written = True
        if is_ours:
            self.stream.write_file(segment)
            self.stream.finish()
        return is_ours

    @property
    def is_cut(self) -> bool:
        """Whether the app gave more than it promised."""
        return self.has_more or self.stream.is_cut

    def end(self) -> None:
        """The app gave everything. Raises ResponseError when that is less than it promised."""
        stream = self.stream
        if not self.is_written:
            self.check_started()
            stream.respond(self.status, self.fields, b"")
            return
        if self.is_whole:
            return
        if not stream.is_complete:
            raise ResponseError(TOO_SHORT)
        stream.finish()

    def _begin(self, piece: bytes) -> None:
        """The head, and the body with it if `piece` is all of what should be compressed."""
        self.check_started()
        stream, fields, length = self.stream, self.fields, len(piece)
        if self.piece_count == 1 and self._promised() is None:
            fields = [*fields, ("Content-Length", str(length))]
        # With a request's body the app may still want to read it.
        if stream.may_code and length >= MIN_BYTES and stream.body is None and self._promised() == length:
            stream.respond(self.status, fields, piece)
            self.is_whole = True
        else:
            stream.start(self.status, fields)
        self.is_written = True

    def _promised(self) -> int | None:
        """The Content-Length of the app; -1 for fields that can't be sent, which is told where they are sent."""
        try:
            for name, value in self.fields:
                if name.lower() == "content-length":
                    return int(value)
        except (TypeError, ValueError, AttributeError):
            return -1
        return None

    def check_started(self) -> None:
        """Whether there is a status to send. Raises ResponseError."""
        if not self.status:
            raise ResponseError("the app gave a body without calling start_response")


def pieces_of(result: Any) -> Iterator[Any]:
    """The pieces of what an app gave. Raises ResponseError for what has none."""
    try:
        return iter(result)
    except TypeError as error:
        message = f"the app gave {_kind(result)} for its body, expected an iterable of bytes"
        raise ResponseError(message) from error


def _kind(thing: Any) -> str:
    return "None" if thing is None else type(thing).__name__


def _as_bytes(piece: Any) -> bytes:
    if isinstance(piece, str):
        return piece.encode("utf-8")
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise ResponseError(f"the app gave {_kind(piece)} for a piece of its body, expected bytes or str")
