"""What is pushed: a request that the client did not make (RFC 9113 section 8.4)."""

from __future__ import annotations

from typing import Final

from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http2.encoding import block_of_fields
from skitaid.protocols.http2.head import Field, request_head

__all__ = ["Promise"]

_KEPT: Final = (b"accept-encoding", b"accept-language", b"user-agent", b"cookie")
"""Of the request to which it belongs: what a response is likely to depend on."""


class Promise:
    """GET `target`, as the client of `asked` would have made it. Raises ProtocolError for a target that is not a
    path."""

    __slots__ = ("block", "head")

    def __init__(self, asked: RequestHead, target: bytes, scheme: bytes) -> None:
        fields: list[Field] = [
            (b":method", b"GET"), (b":scheme", scheme), (b":path", target), (b":authority", asked.host),
        ]  # fmt: skip
        for name in _KEPT:
            value = asked.fields.get(name)
            if value:
                fields.append((name, value))
        self.head = request_head(fields, is_ended=True)
        self.block = block_of_fields(fields)
