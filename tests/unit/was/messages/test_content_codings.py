from __future__ import annotations

import gzip
import zlib

import pytest

from skitaid.was.messages import content_codings
from skitaid.was.messages.content_codings import accepted, decoded
from skitaid.was.messages.errors import ReplyError

brotli = content_codings._brotli()
TEXT = b"request early, use late " * 100
LIMIT = 100_000


def raw_deflate(data: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), "X-GZIP"),
        (gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]), "gzip"),
        (gzip.compress(TEXT) + b"\0\0", "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (raw_deflate(TEXT), "deflate"),
        (TEXT, "identity"),
        (TEXT, ""),
        (gzip.compress(zlib.compress(TEXT)), "deflate, gzip"),
    ],
)
def test_codings(body: bytes, coding: str) -> None:
    assert decoded(body, coding, LIMIT) == TEXT


def test_an_empty_body() -> None:
    assert decoded(b"", "gzip", LIMIT) == b""
    assert decoded(gzip.compress(b""), "gzip", LIMIT) == b""


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"no gzip", "gzip"), (gzip.compress(TEXT)[:-3], "gzip"), (gzip.compress(TEXT)[:20], "gzip"),
        (b"\x78\x9cxx", "deflate"), (raw_deflate(TEXT)[:-2], "deflate"), (TEXT, "zstd"),
        (TEXT, "gzip, gzip, gzip, gzip"), (gzip.compress(TEXT) + gzip.compress(TEXT)[:9], "gzip"),
    ],
)  # fmt: skip
def test_broken_ones(body: bytes, coding: str) -> None:
    with pytest.raises(ReplyError):
        decoded(body, coding, LIMIT)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(bytes(LIMIT + 1)), "gzip"),
        (gzip.compress(bytes(LIMIT)) + gzip.compress(b"x"), "gzip"),
        (zlib.compress(bytes(10_000_000)), "deflate"),
        (gzip.compress(gzip.compress(bytes(10_000_000))), "gzip, gzip"),
    ],
)
def test_bombs(body: bytes, coding: str) -> None:
    with pytest.raises(ReplyError, match="more than"):
        decoded(body, coding, LIMIT)


def test_as_much_as_is_allowed() -> None:
    assert len(decoded(gzip.compress(bytes(LIMIT)), "gzip", LIMIT)) == LIMIT


@pytest.mark.skipif(brotli is None, reason="brotli 1.2 is not installed")
def test_brotli() -> None:
    assert b"br" in accepted()
    assert decoded(brotli.compress(TEXT), "br", LIMIT) == TEXT
    assert decoded(brotli.compress(bytes(LIMIT)), "br", LIMIT) == bytes(LIMIT)
    with pytest.raises(ReplyError, match="more than"):
        decoded(brotli.compress(bytes(10_000_000)), "br", LIMIT)
    for broken in (b"no brotli", brotli.compress(TEXT)[:-3]):
        with pytest.raises(ReplyError):
            decoded(broken, "br", LIMIT)
