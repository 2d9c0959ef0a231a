"""Heads of HTTP/2 (RFC 9113 section 8): a call's as h2 takes it, a response's as receivers hear it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hpack import NeverIndexedHeaderTuple

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine, parse_field_line
from skitaid.protocols.http1.request import RequestError, replaced_line
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.carrier import Carried, Peer

__all__ = ["Pairs", "request_head", "response_head", "trailers"]

Pairs = list[tuple[bytes, bytes]]
_NOT_HERE: Final = frozenset({b"connection", b"transfer-encoding", b"upgrade", b"keep-alive", b"proxy-connection"})
"""RFC 9113 section 8.2.2."""
_SECRET: Final = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
"""Not for tables in which others may guess (RFC 7541 section 7.1.3)."""


def request_head(exchange: Carried, peer: Peer) -> Pairs:
    """The head of a request. Raises RequestError for a call that HTTP/2 has no place for."""
    call = exchange.call
    if call.upgrade is not None or call.method == "CONNECT":
        raise RequestError("HTTP/2 does not switch to another protocol")
    head = [
        (b":method", call.method.encode("ascii")), (b":scheme", b"https" if peer.is_tls else b"http"),
        (b":authority", call.host or peer.host), (b":path", call.target),
    ]  # fmt: skip
    lines = exchange.field_lines
    if peer.authorization is not None:
        lines = replaced_line(lines, b"authorization", peer.authorization)
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _SECRET:
            head.append(NeverIndexedHeaderTuple(name, value.strip(b" \t")))
        elif name not in _NOT_HERE:
            head.append((name, value.strip(b" \t")))
    return head


def response_head(pairs: Iterable[tuple[bytes, bytes]]) -> ResponseHead:
    """The head of a response. Raises ProtocolError for one that could not be passed on as it is: values that hold a
    line's end would be heads of their own in HTTP/1."""
    status, lines = 0, []
    for name, value in pairs:
        if name == b":status":
            status = int(value) if value.isdigit() and len(value) == 3 else 0
        else:
            lines.append(_line(name, value))
    if not 100 <= status <= 999 or status == 101:
        raise ProtocolError(502, "the status is none that there is")
    fields = ResponseFields(lines)
    return ResponseHead(status, b"", fields, content_length=fields.content_length)


def trailers(pairs: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """The fields behind a body. Raises ProtocolError."""
    return [(line.name, line.value) for line in (_line(name, value) for name, value in pairs)]


def _line(name: bytes, value: bytes) -> FieldLine:
    if name.startswith(b":") or name in _NOT_HERE:
        raise ProtocolError(502, f"a field {name!r} in HTTP/2")
    return parse_field_line(b"%b: %b" % (name, value))
