from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from skitaid.protocols.errors import ResponseError
from skitaid.protocols.http1 import response
from skitaid.protocols.http1.response import Fields, Http1Exchange, Stamp, prepare_head, require_tls

STAMP = Stamp(b"Date: now\r\n", b"Server: us\r\n", b"Server: us\r\nDate: now\r\n")


def exchange_of(method: str = "GET", minor: int = 1, is_persistent: bool = True) -> Http1Exchange:
    return Http1Exchange(method, minor, is_persistent)


def respond(status: str, fields: Fields, body: bytes = b"", *, method: str = "GET", minor: int = 1) -> bytes:
    return exchange_of(method, minor).respond(status, fields, body, STAMP)


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of the head but for the stamp."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    return [line for line in head.split(b"\r\n") if line not in (b"Server: us", b"Date: now")]


# ---------------------------------------------------------------- a whole response


def test_a_response() -> None:
    raw = respond("200 OK", [("Content-Type", "text/plain"), ("X-Y", "caf\xe9")], b"hello")
    assert raw == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Y: caf\xe9\r\nContent-Length: 5\r\n"
        b"Server: us\r\nDate: now\r\n\r\nhello"
    )


def test_fields_of_bytes_are_as_those_of_text() -> None:
    """ASGI apps give bytes, WSGI apps text."""
    text = [("Content-Type", "text/plain"), ("Content-Length", "5"), ("X", "caf\xe9"), ("Connection", "close")]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in text]
    for _ in range(2):
        assert respond("200 OK", raw, b"hello") == respond("200 OK", text, b"hello")


def test_the_second_time_is_as_the_first() -> None:
    fields = [("Content-Type", "text/plain"), ("Content-Length", "5"), ("Connection", "close"), ("Date", "mine")]
    first = respond("200 OK", fields, b"hello")
    assert respond("200 OK", list(fields), b"hello") == first
    assert b"Connection: close\r\n" in first


def test_a_status_without_a_reason_keeps_its_space() -> None:
    """RFC 9112 section 4."""
    assert respond("299", []).startswith(b"HTTP/1.1 299 \r\n")
    assert respond("299 ", []).startswith(b"HTTP/1.1 299 \r\n")


def test_a_reason_beyond_latin_1_is_replaced() -> None:
    assert respond("200 \u2713", []).startswith(b"HTTP/1.1 200 ?\r\n")


@pytest.mark.parametrize(
    ("fields", "stamp"),
    [
        ([("Date", "mine")], b"Date: mine\r\nContent-Length: 0\r\nServer: us\r\n\r\n"),
        ([("SERVER", "mine")], b"SERVER: mine\r\nContent-Length: 0\r\nDate: now\r\n\r\n"),
        ([("date", "mine"), ("server", "own")], b"date: mine\r\nserver: own\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_date_and_server_of_the_app_go_before_ours(fields: Fields, stamp: bytes) -> None:
    assert respond("200 OK", fields).endswith(stamp)


@pytest.mark.parametrize(
    "name", ["Connection", "Transfer-Encoding", "transfer-encoding", "Keep-Alive", "TE", "Trailer", "Proxy-Connection"]
)
def test_fields_of_the_connection_are_ours(name: str) -> None:
    """PEP 3333; RFC 9110 section 7.6.1."""
    assert lines_of(respond("200 OK", [(name, "chunked")])) == [b"HTTP/1.1 200 OK", b"Content-Length: 0"]


def test_an_app_may_ask_for_the_connection_to_be_closed() -> None:
    exchange = exchange_of()
    raw = exchange.respond("200 OK", iter([("Connection", "x, Close")]), b"", STAMP)
    assert not exchange.is_persistent
    assert b"\r\nConnection: close\r\n" in raw


@pytest.mark.parametrize("value", ["keep-alive", "disclosed", ""])
def test_other_connection_options_of_an_app_do_not_close_it(value: str) -> None:
    exchange = exchange_of()
    exchange.respond("200 OK", [("Connection", value)], b"", STAMP)
    assert exchange.is_persistent


# ---------------------------------------------------------------- who may say what


@pytest.mark.parametrize(
    "fields",
    [
        [("X", "a\r\nSet-Cookie: b")],
        [("X", "a\nb")],
        [("X", "a\rb")],
        [("X", "a\0b")],
        [("X", "a\x7fb")],
        [("X", "a\r\n")],
        [("X", "\n")],
        [("X\r\nY", "a")],
        [("X\n", "a")],
        [("X:", "a")],
        [("X Y", "a")],
        [("", "a")],
        [("\xe9", "a")],
        [("X", "\u2713")],
        [("X", "\u010a")],
        [("X", 1)],
        [(b"X", b"a\r\nSet-Cookie: b")],
        [(b"X\n", b"a")],
        [(b"X", 1)],
        [(b"Content-Length", b"x")],
        [("X", None)],
        [("X",)],
        [("X", "a", "b")],
        ["X: a"],
        [None],
        [("Connection", "close\r\nX: y")],
        [("Content-Length", "5\r\nX: y")],
    ],
)
def test_a_field_that_could_end_its_line_is_refused(fields: Any) -> None:
    """RFC 9110 section 5.5; RFC 9112 section 11.1 (response splitting)."""
    for _ in range(2):
        exchange = exchange_of()
        with pytest.raises(ResponseError):
            exchange.respond("200 OK", fields, b"", STAMP)
        assert not exchange.is_started
        with pytest.raises(ResponseError):
            exchange.start("200 OK", fields, STAMP)
        assert not exchange.is_started


@pytest.mark.parametrize(
    "status",
    [
        "",
        "OK",
        "20",
        "2000 OK",
        "200OK",
        "200\tOK",
        "000 x",
        "099 x",
        "200 O\r\nX: y",
        "200 OK\n",
        "200 \0",
        "2\u0660\u0660 OK",
        " 200 OK",
        b"200 OK",
        200,
        None,
    ],
)
def test_a_status_that_is_none_is_refused(status: Any) -> None:
    exchange = exchange_of()
    with pytest.raises(ResponseError):
        exchange.respond(status, [], b"", STAMP)
    assert not exchange.is_started


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching Protocols", "103 Early Hints"])
def test_an_interim_status_is_no_response(status: str) -> None:
    """RFC 9110 section 15.2: the client would wait for the final one, and take the next response for it."""
    with pytest.raises(ResponseError):
        respond(status, [])


@pytest.mark.parametrize("value", ["", "x", "-1", "+1", "1.0", "1_0", " 1", "\u0665", "\xb2", "9" * 19, "9" * 5000])
def test_a_content_length_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ResponseError):
        respond("200 OK", [("Content-Length", value)])


def test_two_content_lengths_are_refused() -> None:
    """RFC 9110 section 8.6."""
    with pytest.raises(ResponseError):
        respond("200 OK", [("Content-Length", "1"), ("content-length", "2")], b"x")


class Sly(str):
    """Equal to a harmless text, printed as another."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "a\r\nSet-Cookie: stolen"


def test_a_text_of_an_own_kind_is_not_kept() -> None:
    for _ in range(2):
        try:
            raw = respond("200 OK", [("X-Sly", Sly("harmless"))])
        except ResponseError:
            continue
        assert b"stolen" not in raw
    assert b"stolen" not in respond("200 OK", [("X-Sly", "harmless")])


def test_floods_do_not_grow_the_tables() -> None:
    for number in range(2 * response._MAX_KEPT):
        respond(f"200 Flood {number}", [("X-Flood", str(number)), ("X-Long", "v" * 200 + str(number))])
    assert len(response._STATUS_LINES) <= response._MAX_KEPT
    assert len(response._FIELDS) <= response._MAX_KEPT
    assert all(len(value) <= response._MAX_KEPT_CHARS for _, value in response._FIELDS)


# ---------------------------------------------------------------- framing


@pytest.mark.parametrize(
    ("promised", "sent", "is_persistent"), [(5, b"hello", True), (3, b"hel", True), (7, b"hello", False)]
)
def test_no_more_than_the_promised_length_is_sent(promised: int, sent: bytes, is_persistent: bool) -> None:
    exchange = exchange_of()
    raw = exchange.respond("200 OK", [("content-length", str(promised))], b"hello", STAMP)
    assert lines_of(raw)[1] == b"Content-Length: %d" % promised
    assert raw.endswith(b"\r\n\r\n" + sent)
    assert exchange.is_persistent is is_persistent
    assert (exchange.left or 0) == promised - 5
    assert (b"Connection: close" in lines_of(raw)) is not is_persistent


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "205 Reset Content"])
def test_a_status_without_content_has_none(status: str) -> None:
    """RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5; RFC 9112 section 6.3."""
    raw = respond(status, [("X", "y")], b"hello")
    assert raw.endswith(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in raw
    exchange = exchange_of()
    begun = exchange.start(status, [("X", "y")], STAMP)
    assert begun == raw
    assert exchange.data(b"hello") + exchange.end() == b""
    assert exchange.is_persistent


def test_content_length_of_responses_without_content() -> None:
    """RFC 9110 section 8.6."""
    fields = [("Content-Length", "5")]
    assert lines_of(respond("204 No Content", fields)) == [b"HTTP/1.1 204 No Content"]
    assert lines_of(respond("205 Reset Content", fields)) == [b"HTTP/1.1 205 Reset Content", b"Content-Length: 0"]
    assert lines_of(respond("304 Not Modified", fields)) == [b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"]
    assert lines_of(respond("304 Not Modified", [])) == [b"HTTP/1.1 304 Not Modified"]


@pytest.mark.parametrize(
    ("fields", "body", "length"),
    [
        ([], b"hello", [b"Content-Length: 5"]),
        ([("Content-Length", "5")], b"hello", [b"Content-Length: 5"]),
        ([("Content-Length", "7")], b"", [b"Content-Length: 7"]),
        ([], b"", []),
    ],
)
def test_head_is_answered_without_a_body(fields: Fields, body: bytes, length: list[bytes]) -> None:
    """RFC 9110 section 9.3.2, and 8.6: a length only if it is that of the response to GET."""
    exchange = exchange_of("HEAD")
    raw = exchange.respond("200 OK", fields, body, STAMP)
    assert lines_of(raw) == [b"HTTP/1.1 200 OK", *length]
    assert raw.endswith(b"\r\n\r\n")
    assert exchange.is_persistent


def test_head_is_answered_without_a_body_also_in_pieces() -> None:
    exchange = exchange_of("HEAD")
    raw = exchange.start("200 OK", [("Content-Length", "7")], STAMP)
    assert lines_of(raw) == [b"HTTP/1.1 200 OK", b"Content-Length: 7"]
    assert exchange.data(b"hello") + exchange.end() == b""
    assert exchange.is_complete
    assert exchange.is_persistent


def pieces() -> Iterator[bytes]:
    yield from (b"hello", b"", b" ", b"world" * 3)


def test_pieces_of_unknown_length_are_chunked() -> None:
    """RFC 9112 section 7.1; an empty piece must not look like the last chunk."""
    exchange = exchange_of()
    raw = exchange.start("200 OK", [], STAMP)
    assert lines_of(raw) == [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"]
    assert b"".join(map(exchange.data, pieces())) == b"5\r\nhello\r\n1\r\n \r\nf\r\nworldworldworld\r\n"
    assert exchange.end() == b"0\r\n\r\n"
    assert exchange.is_persistent
    assert exchange.is_complete


def test_pieces_for_1_0_end_with_the_connection() -> None:
    """RFC 9112 sections 6.3 and 9.3: no chunks for a client that does not know them."""
    exchange = exchange_of(minor=0)
    raw = exchange.start("200 OK", [], STAMP)
    assert lines_of(raw) == [b"HTTP/1.1 200 OK", b"Connection: close"]
    assert b"".join(map(exchange.data, pieces())) + exchange.end() == b"hello worldworldworld"
    assert not exchange.is_persistent


@pytest.mark.parametrize(
    ("promised", "sent", "is_complete"),
    [(21, b"hello worldworldworld", True), (7, b"hello w", True), (30, b"hello worldworldworld", False)],
)
def test_pieces_of_a_promised_length(promised: int, sent: bytes, is_complete: bool) -> None:
    exchange = exchange_of()
    raw = exchange.start("200 OK", [("Content-Length", str(promised))], STAMP)
    assert lines_of(raw) == [b"HTTP/1.1 200 OK", b"Content-Length: %d" % promised]
    assert b"".join(map(exchange.data, pieces())) + exchange.end() == sent
    assert exchange.is_complete is is_complete
    assert exchange.is_persistent is is_complete
    assert exchange.left == promised - 21


@pytest.mark.parametrize(
    ("minor", "is_persistent", "line"),
    [
        (1, True, None),
        (1, False, b"Connection: close"),
        (0, True, b"Connection: keep-alive"),
        (0, False, b"Connection: close"),
    ],
)
def test_the_connection_field_says_what_the_version_does_not(
    minor: int, is_persistent: bool, line: bytes | None
) -> None:
    """RFC 9112 section 9.3 and 9.6."""
    raw = exchange_of(minor=minor, is_persistent=is_persistent).respond("200 OK", [], b"", STAMP)
    connection = [each for each in lines_of(raw) if each.startswith(b"Connection")]
    assert connection == ([] if line is None else [line])


# ---------------------------------------------------------------- Strict-Transport-Security


@pytest.fixture
def tls_required() -> Iterator[None]:
    require_tls(3600, subdomains=True)
    yield
    require_tls(0)


def security_of(fields: list[tuple[str, str]]) -> list[bytes]:
    head = Http1Exchange("GET", 1, is_persistent=True).respond("200 OK", fields, b"x", Stamp())
    return [line for line in head.split(b"\r\n") if line.lower().startswith(b"strict-transport-security")]


@pytest.mark.usefixtures("tls_required")
def test_every_response_says_to_come_by_tls() -> None:
    line = b"Strict-Transport-Security: max-age=3600; includeSubDomains"
    for _ in range(3):
        assert security_of([("X-A", "b")]) == [line]
        assert security_of([("Content-Length", "1"), ("Date", "now"), ("Server", "mine")]) == [line]
    assert line in Http1Exchange("GET", 1, is_persistent=True).start("200 OK", [], Stamp())
    assert line in prepare_head("200 OK", [], 5)


@pytest.mark.usefixtures("tls_required")
def test_an_app_s_own_word_counts() -> None:
    for _ in range(3):
        assert security_of([("strict-transport-security", "max-age=0")]) == [b"strict-transport-security: max-age=0"]


def test_nothing_is_said_when_nothing_is_asked_for() -> None:
    assert security_of([("X-A", "b")]) == []
