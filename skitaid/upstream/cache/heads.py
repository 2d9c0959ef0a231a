"""Heads of what a cache answers: with Age, Cache-Status (RFC 9211), and of the parts of a stored response. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from skitaid.protocols.conditions import Verdict, judge, range_holds
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.ranges import content_range, parse_range
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.cache.asked import PROBING, Asked
from skitaid.upstream.cache.stored import Pairs, Stored

__all__ = ["HIT", "Answer", "answer_of", "is_unchanged", "not_modified", "shared_head", "unavailable", "with_status"]

NAME: Final = "skitaid"
HIT: Final = f"{NAME}; hit".encode("ascii")
# RFC 9110 section 15.4.5; Last-Modified only where there is no better validator.
_TOLD_WITH_304: Final = frozenset({
    b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary", b"cache-status", b"server", b"via",
})  # fmt: skip


class Answer(NamedTuple):
    """A head and the body that goes with it."""

    head: ResponseHead
    body: bytes


def answer_of(stored: Stored, asked: Asked, age_s: float, status: bytes) -> Answer:
    """What a stored response is for this request: all of it, its head, a part, or 304. `status`: of this cache."""
    lines = [FieldLine(b"age", b"%d" % age_s), FieldLine(b"cache-status", status)]
    if asked.conditions and is_unchanged(stored, asked):
        return Answer(not_modified(stored.head, lines), b"")
    head, body = stored.head, stored.body
    if asked.method == "HEAD":
        return Answer(_head(head, head.status, [*head.fields.fields, *lines], len(body)), b"")
    if asked.has_range and head.status == 200 and (part := _part(stored, asked, lines)) is not None:
        return part
    return Answer(_head(head, head.status, [*head.fields.fields, *lines], len(body)), body)


def is_unchanged(stored: Stored, asked: Asked) -> bool:
    """Whether the client has it already (RFC 9111 section 4.3.2)."""
    if stored.status != 200:
        return False
    given = {name: asked.values[name] for name in asked.conditions & PROBING}
    return judge(given, stored.validators) is Verdict.NOT_MODIFIED


def not_modified(head: ResponseHead, lines: list[FieldLine]) -> ResponseHead:
    """The 304 for a response with `head`, with further lines."""
    kept = [line for line in head.fields.fields if line.name in _TOLD_WITH_304]
    if not any(line.name == b"etag" for line in kept):
        kept += [line for line in head.fields.fields if line.name == b"last-modified"]
    return ResponseHead(304, b"Not Modified", ResponseFields([*kept, *lines]), content_length=None)


def unavailable() -> ResponseHead:
    """For a request that takes nothing but what is stored, and nothing is (RFC 9111 section 5.2.1.7)."""
    line = FieldLine(b"cache-status", f"{NAME}; fwd=uri-miss; detail=only-if-cached".encode("ascii"))
    return ResponseHead(504, b"Gateway Timeout", ResponseFields([line]), content_length=0)


def with_status(head: ResponseHead, status: str) -> ResponseHead:
    """A head as it came, and what this cache did with it."""
    line = FieldLine(b"cache-status", f"{NAME}; {status}".encode("ascii"))
    told = ResponseHead(
        head.status, head.reason, ResponseFields([*head.fields.fields, line]), minor=head.minor,
        content_length=head.content_length,
    )  # fmt: skip
    told.is_persistent = head.is_persistent
    return told


def shared_head(
    line: tuple[int, bytes], fields: Pairs, length: int | None, *, age_s: float, status: str
) -> ResponseHead:
    """The head of a response that is still coming, for one who joined in: of the `fields` that are kept of it."""
    lines = [FieldLine(name, value) for name, value in fields]
    lines += [FieldLine(b"age", b"%d" % age_s), FieldLine(b"cache-status", f"{NAME}; {status}".encode("ascii"))]
    if length is not None:
        lines.append(FieldLine(b"content-length", b"%d" % length))
    return ResponseHead(*line, ResponseFields(lines), content_length=length)


def _part(stored: Stored, asked: Asked, lines: list[FieldLine]) -> Answer | None:
    """One range of the body, or 416; None where all of it is to be sent, as it may be (RFC 9110 section 14.2)."""
    size = len(stored.body)
    if not range_holds(asked.values, stored.validators, stored.moments.received_at):
        return None
    ranges = parse_range(asked.values[b"range"], size)
    if ranges is None or len(ranges) > 1:
        return None
    if not ranges:
        told = FieldLine(b"content-range", content_range(None, size).encode("ascii"))
        fields = ResponseFields([told, *lines])
        return Answer(ResponseHead(416, b"Range Not Satisfiable", fields, content_length=0), b"")
    one = ranges[0]
    told = FieldLine(b"content-range", content_range(one, size).encode("ascii"))
    body = stored.body[one.start : one.end]
    head = _head(stored.head, 206, [*stored.head.fields.fields, told, *lines], len(body))
    return Answer(head, body)


def _head(head: ResponseHead, status: int, lines: list[FieldLine], length: int) -> ResponseHead:
    if status not in (204, 205):
        lines.append(FieldLine(b"content-length", b"%d" % length))
    reason = head.reason if status == head.status else b"Partial Content"
    return ResponseHead(status, reason, ResponseFields(lines), content_length=length)
