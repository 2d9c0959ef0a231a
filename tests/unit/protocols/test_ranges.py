"""RFC 9110 section 14."""

from __future__ import annotations

import email
import random

import pytest

from skitaid.protocols.ranges import (
    MAX_PARTS,
    MAX_SPECS,
    ByteRange,
    content_range,
    parse_range,
    split_parts,
)

SIZE = 1000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0", [(0, 1)]),
        (b"bytes=0-499", [(0, 500)]),
        (b"bytes=500-", [(500, 1000)]),
        (b"bytes=-200", [(800, 1000)]),
        (b"bytes=-5000", [(0, 1000)]),
        (b"bytes=900-99999", [(900, 1000)]),
        (b"bytes=999-999", [(999, 1000)]),
        (b"BYTES=0-0", [(0, 1)]),
        (b"bytes= 0-1 , ,5-6,", [(0, 2), (5, 7)]),
        (b"bytes=0-" + b"9" * 6000, [(0, 1000)]),
        (b"bytes=-" + b"9" * 6000, [(0, 1000)]),
        (b"bytes=007-8", [(7, 9)]),
    ],
)
def test_ranges(value: bytes, expected: list[tuple[int, int]]) -> None:
    assert parse_range(value, SIZE) == expected


@pytest.mark.parametrize("value", [b"bytes=1000-", b"bytes=1000-2000", b"bytes=-0", b"bytes=" + b"9" * 6000 + b"-"])
def test_unsatisfiable(value: bytes) -> None:
    assert parse_range(value, SIZE) == []


def test_of_several_those_that_can_be_had_are_sent() -> None:
    assert parse_range(b"bytes=5000-6000,0-1,-0", SIZE) == [(0, 2)]


@pytest.mark.parametrize(
    "value",
    [
        b"", b"bytes", b"bytes=", b"bytes=,", b"lines=0-1", b"bytes=a-b", b"bytes=--1", b"bytes=-", b"bytes=3-1",
        b"bytes=+0-1", b"bytes=0_0-1", b"bytes=0-1-2", b"bytes=0 - 1", b"bytes=0x0-1", b"bytes=1", b"bytes:0-1",
        b"bytes=0-1,3-2", b"bytes=0-1,x", "bytes=٠-١".encode(), b"bytes=\xb2-\xb3",
    ],
)  # fmt: skip
def test_what_is_not_valid_is_ignored(value: bytes) -> None:
    assert parse_range(value, SIZE) is None


@pytest.mark.parametrize("value", [b"bytes=0-0", b"bytes=-5", b"bytes=0-", b"bytes=10-20"])
def test_an_empty_file_has_no_ranges(value: bytes) -> None:
    assert parse_range(value, 0) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-9,20-29", [(0, 10), (20, 30)]),
        (b"bytes=20-29,0-9", [(20, 30), (0, 10)]),
        (b"bytes=0-9,5-14", [(0, 15)]),
        (b"bytes=0-9,10-19", [(0, 20)]),
        (b"bytes=0-9,0-9,0-9", [(0, 10)]),
        (b"bytes=50-59,0-9,55-64", [(50, 65), (0, 10)]),
        (b"bytes=0-9,50-59,-1000", [(0, 1000)]),
    ],
)
def test_ranges_that_overlap_or_touch_become_one(value: bytes, expected: list[tuple[int, int]]) -> None:
    assert parse_range(value, SIZE) == expected


def spread(count: int) -> bytes:
    return b"bytes=" + b",".join(b"%d-%d" % (place * 10, place * 10) for place in range(count))


def test_limits_against_floods() -> None:
    assert len(parse_range(spread(MAX_PARTS), SIZE) or ()) == MAX_PARTS
    assert parse_range(spread(MAX_PARTS + 1), SIZE) is None
    assert parse_range(b"bytes=" + b",".join([b"0-"] * MAX_SPECS), SIZE) == [(0, SIZE)]
    assert parse_range(b"bytes=" + b",".join([b"0-"] * (MAX_SPECS + 1)), SIZE) is None
    assert parse_range(b"bytes=" + b"," * 100_000 + b"0-1", SIZE) is None


def test_whatever_is_asked_no_byte_is_sent_twice() -> None:
    source = random.Random(9110)
    for _ in range(300):
        pairs = [sorted((source.randrange(60), source.randrange(60))) for _ in range(source.randrange(1, 9))]
        asked = {byte for first, last in pairs for byte in range(first, last + 1) if byte < 50}
        value = b"bytes=" + b",".join(b"%d-%d" % (first, last) for first, last in pairs)
        sent = [byte for one in parse_range(value, 50) or () for byte in range(*one)]
        assert len(sent) == len(set(sent))
        assert set(sent) == asked


def test_content_range() -> None:
    assert content_range(ByteRange(0, 500), SIZE) == "bytes 0-499/1000"
    assert content_range(None, SIZE) == "bytes */1000"


def test_a_multipart_body() -> None:
    content = bytes(index % 256 for index in range(SIZE))
    ranges = [ByteRange(10, 20), ByteRange(0, 3)]
    parts = split_parts(ranges, SIZE, "application/octet-stream", "b0undary")
    body = b"".join(part.head + content[part.range.start : part.range.end] for part in parts.parts) + parts.tail
    assert len(body) == parts.length
    # read by the standard library's MIME parser, which shares no code with ours
    message = email.message_from_bytes(b"Content-Type: multipart/byteranges; boundary=b0undary\r\n\r\n" + body)
    read = [(part["Content-Type"], part["Content-Range"], part.get_payload(decode=True)) for part in message.walk()][1:]
    assert read == [
        ("application/octet-stream", "bytes 10-19/1000", content[10:20]),
        ("application/octet-stream", "bytes 0-2/1000", content[:3]),
    ]
