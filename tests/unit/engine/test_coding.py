from __future__ import annotations

import importlib.util
import zlib
from typing import Any

import pytest

from skitaid.engine.coding import MIN_BYTES, Choice, choose, confirm, encode, encoder
from skitaid.protocols.headers import HeaderBlock, parse_block

GZIP = b"Accept-Encoding: gzip"
TEXT = ("Content-Type", "text/plain; charset=utf-8")
BIG = 5000
HAS_BROTLI = importlib.util.find_spec("brotli") is not None


def request(*lines: bytes) -> HeaderBlock:
    return parse_block(b"\r\n".join(lines))


def choice(*fields: Any, accept: bytes = GZIP, status: str = "200 OK", size: int | None = BIG) -> Choice:
    return choose(request(accept) if accept else request(), status, list(fields), size)


def value(fields: Any, name: str) -> str | None:
    found = [text for key, text in fields if str(key).lower() == name]
    assert len(found) < 2
    return found[0] if found else None


# ---------------------------------------------------------------- what is compressed


@pytest.mark.parametrize(
    "kind",
    [
        "text/html", "text/html; charset=utf-8", "TEXT/HTML;charset=utf-8", "text/css", "text/javascript", "text/csv",
        "text/event", "application/json", "application/json ; charset=utf-8", "application/problem+json",
        "application/javascript", "application/xml", "application/xhtml+xml", "application/wasm", "image/svg+xml",
        "font/ttf", "font/otf", "application/vnd.ms-fontobject", "application/x-ndjson", "image/bmp",
        "application/vnd.api+json", "application/ld+json", "application/yaml", "image/x-icon",
    ],
)  # fmt: skip
def test_what_shrinks_is_compressed(kind: str) -> None:
    found = choice(("Content-Type", kind))
    assert found.coding == b"gzip"
    assert value(found.fields, "content-encoding") == "gzip"
    assert value(found.fields, "vary") == "Accept-Encoding"


@pytest.mark.parametrize(
    "kind",
    [
        "image/png", "image/jpeg", "image/webp", "video/mp4", "application/zip", "application/gzip", "font/woff2",
        "application/pdf", "application/octet-stream", "text/event-stream", "text/event-stream; charset=utf-8",
        "multipart/byteranges; boundary=x", "multipart/x-mixed-replace", "", "text", "text/", "nonsense",
        "application/", "application/jsonx", "application/grpc+proto",
    ],
)  # fmt: skip
def test_what_does_not_shrink_or_must_flow_is_left(kind: str) -> None:
    fields = [("Content-Type", kind)]
    assert choice(*fields) == (None, fields, None)


def test_without_a_type_nothing_is_known() -> None:
    assert choice() == (None, [], None)


@pytest.mark.parametrize("status", ["200 OK", "200", "201 Created", "203 X", "404 Not Found", "400 X", "500 X"])
def test_statuses_with_content(status: str) -> None:
    assert choice(TEXT, status=status).coding == b"gzip"


@pytest.mark.parametrize("status", ["204 No Content", "205 X", "206 Partial Content", "304 X", "302 Found", ""])
def test_statuses_without_content_or_with_a_part_of_it(status: str) -> None:
    assert choice(TEXT, status=status) == (None, [TEXT], None)


@pytest.mark.parametrize(
    "field",
    [
        ("Content-Encoding", "gzip"),
        ("content-encoding", "identity"),
        ("Content-Range", "bytes 0-4999/9000"),
        ("Cache-Control", "public, no-transform"),
        ("cache-control", "NO-TRANSFORM"),
        ("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
        ("Digest", "sha-256=x"),
        ("Content-Digest", "sha-256=:x:"),
        ("Repr-Digest", "sha-256=:x:"),
    ],
)
def test_what_forbids_it(field: tuple[str, str]) -> None:
    assert choice(TEXT, field) == (None, [TEXT, field], None)


def test_other_directives_do_not_forbid_it() -> None:
    assert choice(TEXT, ("Cache-Control", "no-store, private")).coding == b"gzip"


@pytest.mark.parametrize(("size", "coding"), [(0, None), (MIN_BYTES - 1, None), (MIN_BYTES, b"gzip"), (None, b"gzip")])
def test_short_bodies_are_left(size: int | None, coding: bytes | None) -> None:
    found = choice(TEXT, size=size)
    assert found.coding == coding
    assert value(found.fields, "vary") == (None if coding is None else "Accept-Encoding")


@pytest.mark.parametrize(("promised", "coding"), [("999", None), ("1000", b"gzip")])
def test_a_promised_length_counts_for_pieces(promised: str, coding: bytes | None) -> None:
    found = choice(TEXT, ("Content-Length", promised), size=None)
    assert (found.coding, found.length) == (coding, int(promised))


# ---------------------------------------------------------------- for whom


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (b"gzip", b"gzip"),
        (b"GZIP", b"gzip"),
        (b"deflate, gzip;q=0.5", b"gzip"),
        (b"gzip;q=0", None),
        (b"gzip;q=0.2, identity;q=0.5", None),
        (b"gzip;q=0.5, identity;q=0.5", b"gzip"),
        (b"identity", None),
        (b"deflate", None),
        (b"", None),
        (b"*", b"gzip"),
        (b"*;q=0", None),
        (b"x-gzip", None),
    ],
)
def test_the_client_is_asked(accept: bytes, coding: bytes | None) -> None:
    found = choice(TEXT, accept=b"Accept-Encoding: " + accept)
    assert found.coding == coding
    assert value(found.fields, "vary") == "Accept-Encoding"
    assert value(found.fields, "content-encoding") == (None if coding is None else coding.decode())


def test_a_client_that_says_nothing_gets_it_plain_and_a_cache_is_told() -> None:
    found = choice(TEXT, accept=b"")
    assert found == (None, [TEXT, ("Vary", "Accept-Encoding")], None)


@pytest.mark.skipif(not HAS_BROTLI, reason="the package brotli is not installed: only gzip can be tested here")
@pytest.mark.parametrize(
    ("accept", "coding"),
    [(b"gzip, deflate, br, zstd", b"br"), (b"br", b"br"), (b"br;q=0.5, gzip", b"gzip"), (b"br;q=0, gzip", b"gzip")],
)
def test_brotli_goes_before_gzip(accept: bytes, coding: bytes) -> None:
    assert choice(TEXT, accept=b"Accept-Encoding: " + accept).coding == coding


def test_brotli_is_too_large_for_thousands_at_a_time() -> None:
    for accept, coding in ((b"gzip, br", b"gzip"), (b"br", None)):
        block = request(b"Accept-Encoding: " + accept)
        assert choose(block, "200 OK", [TEXT], None, is_lean=True).coding == coding


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        (["Cookie"], "Cookie, Accept-Encoding"),
        (["Cookie", "Origin"], "Cookie, Origin, Accept-Encoding"),
        (["accept-encoding"], "accept-encoding"),
        (["Origin, Accept-Encoding"], "Origin, Accept-Encoding"),
        (["*"], "*"),
        ([""], "Accept-Encoding"),
    ],
)
def test_vary_is_completed(vary: list[str], expected: str) -> None:
    for accept in (GZIP, b""):
        found = choice(TEXT, *(("Vary", text) for text in vary), accept=accept)
        assert value(found.fields, "vary") == expected


@pytest.mark.parametrize(("etag", "expected"), [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"'), ("", None)])
def test_a_strong_etag_becomes_weak(etag: str, expected: str | None) -> None:
    assert value(choice(TEXT, ("ETag", etag)).fields, "etag") == expected


def test_the_etag_of_the_plain_form_stays() -> None:
    assert value(choice(TEXT, ("ETag", '"a"'), accept=b"").fields, "etag") == '"a"'


def test_length_and_ranges_are_those_of_the_plain_form() -> None:
    fields = [TEXT, ("Content-Length", "5000"), ("Accept-Ranges", "bytes"), ("X-Other", "1")]
    assert [name for name, _ in choice(*fields).fields] == ["Content-Type", "X-Other", "Vary", "Content-Encoding"]
    assert [name for name, _ in choice(*fields, accept=b"").fields] == [*(name for name, _ in fields), "Vary"]


def test_fields_may_be_bytes_as_asgi_has_them() -> None:
    fields = [(b"content-type", b"application/json"), (b"etag", b'"a"'), (b"vary", b"cookie"), (b"x", b"\xff")]
    found = choice(*fields)
    assert found.coding == b"gzip"
    assert list(found.fields) == [
        (b"content-type", b"application/json"), (b"x", b"\xff"), ("Vary", "cookie, Accept-Encoding"), ("ETag", 'W/"a"'),
        ("Content-Encoding", "gzip"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [[("a",)], [None], [("Content-Type", 5)], [(5, "x")], ["ab"], [("Content-Type", None)], [((), "x")], [([], "x")]],
)
def test_what_can_not_be_sent_is_left_to_who_sends_it(fields: Any) -> None:
    assert choose(request(GZIP), "200 OK", fields, BIG) == (None, fields, None)


@pytest.mark.parametrize("status", [None, 200, b"200 OK"])
def test_a_status_that_is_none(status: Any) -> None:
    assert choose(request(GZIP), status, [TEXT], BIG) == (None, [TEXT], None)


@pytest.mark.parametrize("length", ["-1", "x", "", "٣", "1" * 30])
def test_a_length_that_is_none(length: str) -> None:
    assert choice(TEXT, ("Content-Length", length), size=None).length is None


# ---------------------------------------------------------------- 304


def confirmed(held: bytes | None, *fields: tuple[str, str]) -> Any:
    return confirm(request(b"If-None-Match: " + held) if held is not None else request(), list(fields))


def test_a_client_that_holds_the_compressed_form_is_told_of_that() -> None:
    fields = confirmed(b'W/"a"', ("ETag", '"a"'), ("Vary", "Cookie"))
    assert list(fields) == [("ETag", 'W/"a"'), ("Vary", "Cookie, Accept-Encoding")]


@pytest.mark.parametrize(
    ("held", "etag"),
    [(b'"a"', '"a"'), (b'W/"a", "a"', '"a"'), (b'W/"b"', '"a"'), (b'W/"a"', 'W/"a"'), (None, '"a"'), (b"*", '"a"')],
)
def test_any_other_304_stays_as_it_is(held: bytes | None, etag: str) -> None:
    assert confirmed(held, ("ETag", etag)) == [("ETag", etag)]


def test_a_304_without_an_etag() -> None:
    assert confirmed(b'W/"a"', ("X", "1")) == [("X", "1")]


# ---------------------------------------------------------------- codecs


DATA = b"".join(b"line %d of a text\n" % number for number in range(3000))


def test_gzip_is_read_by_others() -> None:
    coded = encode(b"gzip", DATA)
    assert zlib.decompress(coded, 31) == DATA
    assert len(coded) < len(DATA) / 4


@pytest.mark.parametrize("is_lean", [False, True])
def test_pieces_can_be_read_as_they_come(is_lean: bool) -> None:
    codec, reader = encoder(b"gzip", is_lean=is_lean), zlib.decompressobj(31)
    for start in range(0, len(DATA), 10_000):
        piece = DATA[start : start + 10_000]
        assert reader.decompress(codec.piece(memoryview(piece))) == piece
    assert reader.decompress(codec.end()) == b""
    assert reader.eof


def test_pieces_that_are_not_flushed_come_later() -> None:
    codec, reader = encoder(b"gzip"), zlib.decompressobj(31)
    assert len(reader.decompress(codec.piece(DATA[:2000], flush=False))) < 2000
    assert reader.decompress(codec.piece(b"x"))[-1:] == b"x"


@pytest.mark.skipif(not HAS_BROTLI, reason="the package brotli is not installed: only gzip can be tested here")
def test_brotli_pieces_can_be_read_as_they_come() -> None:
    import brotli

    codec, reader = encoder(b"br"), brotli.Decompressor()
    for start in range(0, len(DATA), 10_000):
        piece = DATA[start : start + 10_000]
        assert reader.process(codec.piece(memoryview(piece))) == piece
    assert reader.process(codec.end()) == b""
    assert reader.is_finished()
    assert brotli.decompress(encode(b"br", DATA)) == DATA


# ---------------------------------------------------------------- what is kept


def test_what_an_app_does_to_its_fields_later_changes_nothing() -> None:
    fields = [("Content-Type", "text/plain"), ("Vary", "Accept-Encoding")]
    for _ in range(4):
        choice = choose(request(), "200 OK", fields, 5000)
        assert list(choice.fields) == fields
        again = [*fields]
        choose(request(), "200 OK", again, 5000)
        again.append(("X-Added", "later"))


@pytest.mark.parametrize("value", [5, None, ["list"], b"bytes"])
def test_fields_that_can_not_be_sent_are_told_elsewhere(value: Any) -> None:
    for _ in range(3):
        assert choose(request(), "200 OK", [("Content-Type", "text/plain"), ("X", value)], 5000).coding is None


def test_repeated_accept_encoding_counts_as_one_list() -> None:
    block = parse_block(b"Accept-Encoding: br;q=0\r\nAccept-Encoding: gzip")
    assert block.accept_encoding == b"br;q=0, gzip" == block.get(b"accept-encoding")
    assert choose(block, "200 OK", [("Content-Type", "text/plain")], 5000).coding == b"gzip"
