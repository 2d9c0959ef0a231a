from __future__ import annotations

import gzip
import zlib

import pytest

from skitaid.protocols.grpc import (
    Deframer,
    GrpcCode,
    GrpcFormatError,
    frame,
    message_text,
    read_code,
    timeout_value,
)

LIMIT = 10_000


def packed(data: bytes) -> bytes:
    return b"\1" + len(data).to_bytes(4, "big") + data


def test_a_message_as_it_stands_in_a_body() -> None:
    assert frame(b"") == bytes(5)
    assert frame(b"abc") == b"\0\0\0\0\3abc"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100_000])
def test_messages_in_any_pieces(step: int) -> None:
    sent = [b"", b"a", b"bc" * 1000, b"", b"d"]
    raw = b"".join(map(frame, sent))
    deframer = Deframer(LIMIT)
    got: list[bytes] = []
    for start in range(0, len(raw), step):
        got += deframer.feed(raw[start : start + step])
    assert got == sent and deframer.is_between


def test_a_message_that_is_cut_off() -> None:
    deframer = Deframer(LIMIT)
    assert deframer.feed(frame(b"abc")[:-1]) == []
    assert not deframer.is_between


@pytest.mark.parametrize(("coding", "data"), [("gzip", gzip.compress(b"abc")), ("deflate", zlib.compress(b"abc"))])
def test_compressed(coding: str, data: bytes) -> None:
    assert Deframer(LIMIT, coding).feed(packed(data) + frame(b"plain")) == [b"abc", b"plain"]


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("identity", b"\0\xff\xff\xff\xff"),
        ("identity", frame(bytes(LIMIT + 1))),
        ("identity", b"\2\0\0\0\0"),
        ("identity", packed(b"abc")),
        ("gzip", packed(b"no gzip")),
        ("gzip", packed(gzip.compress(b"abc")[:-2])),
        ("gzip", packed(gzip.compress(bytes(LIMIT + 1)))),
        ("gzip", packed(gzip.compress(bytes(LIMIT // 2 + 1))) * 2),
        ("snappy", packed(b"abc")),
    ],
)
def test_what_is_no_message(coding: str, raw: bytes) -> None:
    with pytest.raises(GrpcFormatError):
        Deframer(LIMIT, coding).feed(raw)


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(0.05, b"50000000n"), (0.1, b"100000u"), (10, b"10000000u"), (99.5, b"99500000u"), (100, b"100000m"),
     (3600 * 24, b"86400000m"), (1e6, b"1000000S"), (1e9, b"16666667M"), (1e15, b"99999999H")],
)  # fmt: skip
def test_timeouts(seconds: float, value: bytes) -> None:
    assert timeout_value(seconds) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [(b"0", GrpcCode.OK), (b"5", GrpcCode.NOT_FOUND), (b"16", GrpcCode.UNAUTHENTICATED), (b"17", GrpcCode.UNKNOWN)],
)
def test_codes(value: bytes, code: GrpcCode) -> None:
    assert read_code(value) is code


@pytest.mark.parametrize("value", [b"", b"OK", b"-1", b"1234", b"0x1"])
def test_what_is_no_code(value: bytes) -> None:
    with pytest.raises(GrpcFormatError):
        read_code(value)


def test_every_code_has_a_status() -> None:
    assert {code.http_status >= 400 for code in GrpcCode if code} == {True}
    assert GrpcCode.OK.http_status == 200


def test_messages_of_errors() -> None:
    assert message_text(b"no feature %C3%A9%25 %zz") == "no feature é% %zz"
    assert message_text(b"%ff") == "\ufffd"
