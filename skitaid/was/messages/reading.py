"""A reply as an app sees it: unpacked, and decoded by its content type or as a remote procedure answers. Pure.

A success whose body is not what it says becomes 502. An error page may be anything: its status says enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from skitaid.was.messages.charsets import to_text
from skitaid.was.messages.content_codings import decoded
from skitaid.was.messages.decoding import read_body
from skitaid.was.messages.errors import ReplyError, RpcFault
from skitaid.was.messages.fields import Headers
from skitaid.was.messages.reply import Decoded, Reply, reason_of

__all__ = ["Read", "Reader", "read_http", "unpacked"]

Read = Callable[[bytes, str], object]
"""Body and content type → value. Raises ReplyError, RpcFault."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A Decoder. `read` makes the data of a reply that succeeded. `has_faults`: a reply of any status may carry a fault
    that `read` finds (some servers of JSON-RPC answer 500 with it)."""

    read: Read = read_body
    has_faults: bool = False

    def __call__(self, reply: Reply) -> Decoded:
        """The reply as an app sees it. Never raises."""
        found = unpacked(reply)
        if found.error is not None:
            return found
        content_type = found.headers.get("content-type", "")
        if found.status_code >= 400:
            return self._refused(found, content_type)
        try:
            return found.with_data(self.read(found.content, content_type))
        except (ReplyError, RpcFault) as error:
            return found.with_error(error, error.status)

    def _refused(self, found: Decoded, content_type: str) -> Decoded:
        if self.has_faults:
            try:
                self.read(found.content, content_type)
            except RpcFault as fault:
                return found.with_error(fault, found.status_code)
            except ReplyError:
                pass  # a page of the server itself
        return found.with_data(_lenient(found.content, content_type))


read_http = Reader()
"""By the content type of the reply."""


def unpacked(reply: Reply) -> Decoded:
    """Without its content coding; `data` are the bytes. Never raises."""
    headers = Headers(reply.fields)
    # HTTP/2 has no reason.
    reason = reply.reason or reason_of(reply.status_code)
    plain = Decoded(reply.status_code, reason, headers, reply.body, reply.body)
    coding = headers.get("content-encoding")
    if not coding or not reply.body:
        return plain
    try:
        content = decoded(reply.body, coding, reply.max_bytes)
    except ReplyError as error:
        return plain.with_error(error, max(plain.status_code, error.status))
    return Decoded(reply.status_code, reason, headers, content, content)


def _lenient(content: bytes, content_type: str) -> object:
    try:
        return read_body(content, content_type)
    except (ReplyError, RpcFault):
        return to_text(content, content_type)
