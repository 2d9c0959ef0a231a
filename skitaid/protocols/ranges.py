"""Byte ranges (RFC 9110 section 14): what of a file a Range field asks for, and multipart/byteranges. Pure.

A request costs at most `MAX_SPECS` look-ups, and gets no byte of the file twice: ranges that overlap or touch become
one, and whoever asks for more than `MAX_PARTS` apart gets the whole file (section 17.15).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["MAX_PARTS", "MAX_SPECS", "ByteRange", "Part", "Parts", "content_range", "parse_range", "split_parts"]

MAX_SPECS: Final = 128
MAX_PARTS: Final = 16

_SPEC: Final = re.compile(rb"([0-9]*)-([0-9]*)").fullmatch
# More digits than any file has bytes; int() of thousands of digits would cost their square.
_MAX_DIGITS: Final = 18


class ByteRange(NamedTuple):
    """Bytes `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body: what goes before the bytes, and which bytes."""

    head: bytes
    range: ByteRange


@dataclass(frozen=True, slots=True)
class Parts:
    """A multipart body: the parts, what follows the last one, and the length of it all in bytes."""

    parts: tuple[Part, ...]
    tail: bytes
    length: int


def parse_range(value: bytes, size: int) -> list[ByteRange] | None:
    """The ranges of a file of `size` bytes to send, in the order asked for. Empty: none of them can be had (416).
    None: the field is to be ignored, as it is not valid, asks for too much, or there is nothing to divide."""
    unit, equals, specs = value.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes" or not size:
        return None
    wanted = [spec for each in specs.split(b",", MAX_SPECS + 1) if (spec := each.strip(b" \t"))]
    if not wanted or len(wanted) > MAX_SPECS:
        return None
    found = []
    for spec in wanted:
        match = _SPEC(spec)
        if match is None or spec == b"-":
            return None
        first, last = match.groups()
        if first and last and _number(last) < _number(first):
            return None
        if (one := _resolve(first, last, size)) is not None:
            found.append(one)
    merged = _merge(found)
    return merged if len(merged) <= MAX_PARTS else None


def content_range(one: ByteRange | None, size: int) -> str:
    """The value of Content-Range; None: of a 416."""
    return f"bytes */{size}" if one is None else f"bytes {one.start}-{one.end - 1}/{size}"


def split_parts(ranges: Sequence[ByteRange], size: int, content_type: str, boundary: str) -> Parts:
    """The multipart body of `ranges` (section 14.6)."""
    parts: list[Part] = []
    for one in ranges:
        # The line break before a boundary belongs to it; before the first there is no preamble to end.
        lead = "\r\n" if parts else ""
        head = (
            f"{lead}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range(one, size)}\r\n\r\n"
        )
        parts.append(Part(head.encode("latin-1"), one))
    tail = f"\r\n--{boundary}--\r\n".encode("latin-1")
    length = sum(len(part.head) + part.range.end - part.range.start for part in parts) + len(tail)
    return Parts(tuple(parts), tail, length)


def _number(digits: bytes) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _resolve(first: bytes, last: bytes, size: int) -> ByteRange | None:
    """The bytes that `first-last` stands for; None when the file has none of them."""
    if not first:
        length = min(_number(last), size)
        return ByteRange(size - length, size) if length else None
    start = _number(first)
    if start >= size:
        return None
    return ByteRange(start, min(_number(last) + 1, size) if last else size)


def _merge(ranges: Sequence[ByteRange]) -> list[ByteRange]:
    """Ranges that neither overlap nor touch; each stands where the first of those it came from stood."""
    if len(ranges) < 2:
        return list(ranges)
    order = sorted(range(len(ranges)), key=lambda index: ranges[index])
    groups: list[tuple[int, ByteRange]] = []
    for index in order:
        one = ranges[index]
        if groups and one.start <= groups[-1][1].end:
            place, group = groups[-1]
            groups[-1] = (min(place, index), ByteRange(group.start, max(group.end, one.end)))
        else:
            groups.append((index, one))
    return [group for _, group in sorted(groups)]
