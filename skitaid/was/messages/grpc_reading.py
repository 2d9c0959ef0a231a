"""How a gRPC call ended, and the messages of its reply. Pure but for protobuf."""

from __future__ import annotations

from dataclasses import dataclass

from skitaid.exceptions import SkitaidError
from skitaid.protocols.grpc import Deframer, GrpcCode, GrpcFormatError, message_text, read_code
from skitaid.was.messages.errors import ReplyError
from skitaid.was.messages.fields import Fields, Headers, value_of
from skitaid.was.messages.grpc_types import GrpcMethod
from skitaid.was.messages.reply import Decoded, Reply

__all__ = ["GrpcError", "GrpcReader", "coding_of", "ending_of"]

# What a proxy in between answers, in gRPC's words ("HTTP to gRPC Status Code Mapping").
_FROM_HTTP = {
    400: GrpcCode.INTERNAL, 401: GrpcCode.UNAUTHENTICATED, 403: GrpcCode.PERMISSION_DENIED,
    404: GrpcCode.UNIMPLEMENTED, 429: GrpcCode.UNAVAILABLE, 502: GrpcCode.UNAVAILABLE, 503: GrpcCode.UNAVAILABLE,
    504: GrpcCode.UNAVAILABLE,
}  # fmt: skip


class GrpcError(SkitaidError):
    """The call ended with another status than OK: `code` and `details`. `status` is what the result says in the words
    of HTTP."""

    def __init__(self, code: GrpcCode, details: str = "", status: int | None = None) -> None:
        self.code = code
        self.details = details
        self.status = code.http_status if status is None else status
        super().__init__(f"{code.name}: {details}" if details else code.name)


def ending_of(status: int, fields: Fields, trailers: Fields) -> SkitaidError | None:
    """The error with which a call ended; None for OK. `status`: of HTTP. Of a response without a body gRPC's status
    stands in its head (Trailers-Only)."""
    value = value_of(trailers, b"grpc-status") or value_of(fields, b"grpc-status")
    if value is None:
        if status != 200:
            return GrpcError(_FROM_HTTP.get(status, GrpcCode.UNKNOWN), f"HTTP status {status}", max(status, 400))
        return ReplyError("the response has no grpc-status")
    try:
        code = read_code(value)
    except GrpcFormatError as error:
        return ReplyError(str(error))
    if code is GrpcCode.OK:
        return None
    text = value_of(trailers, b"grpc-message") or value_of(fields, b"grpc-message") or b""
    return GrpcError(code, message_text(text))


def coding_of(fields: Fields) -> str:
    """How the messages of a response are compressed, in lower case; "identity": they are not."""
    return (value_of(fields, b"grpc-encoding") or b"identity").decode("latin-1").lower()


@dataclass(frozen=True, slots=True)
class GrpcReader:
    """A Decoder. The data are the message, or the list of them where the method gives a stream."""

    method: GrpcMethod

    def __call__(self, reply: Reply) -> Decoded:
        """The reply as an app sees it. Never raises."""
        headers = Headers((*reply.fields, *reply.trailers))
        found = Decoded(reply.status_code, reply.reason or "OK", headers, reply.body, None)
        error = ending_of(reply.status_code, reply.fields, reply.trailers)
        if error is not None:
            return found.with_error(error, getattr(error, "status", 502))
        try:
            return found.with_data(self._data(reply))
        except ReplyError as failure:
            return found.with_error(failure, failure.status)

    def _data(self, reply: Reply) -> object:
        deframer = Deframer(reply.max_bytes, coding_of(reply.fields))
        try:
            messages = [self.method.read(message) for message in deframer.feed(reply.body)]
        except GrpcFormatError as error:
            raise ReplyError(f"the response is not gRPC: {error}") from error
        if not deframer.is_between:
            raise ReplyError("the last message of the response is cut off")
        if self.method.gives_many:
            return messages
        if len(messages) != 1:
            raise ReplyError(f"the response has {len(messages)} messages, expected one")
        return messages[0]
