from __future__ import annotations

import time

import pytest

from skitaid.protocols import headers
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import MAX_FIELDS, FieldLine, HeaderBlock, parse_block, parse_field_line, tokens


def block_of(*lines: bytes) -> HeaderBlock:
    return parse_block(b"\r\n".join(lines))


def status_of(*lines: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        block_of(*lines)
    return caught.value.status


# ---------------------------------------------------------------- one line


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (b"Host: a", b"host", b"a"),
        (b"Host:a", b"host", b"a"),
        (b"X:", b"x", b""),
        (b"X: \t ", b"x", b""),
        (b"X:\t a b\tc \t", b"x", b"a b\tc"),
        (b"X: a: b", b"x", b"a: b"),
        (b"X: caf\xe9", b"x", b"caf\xe9"),
        (b"!#$%&'*+-.^_`|~09aZ: v", b"!#$%&'*+-.^_`|~09az", b"v"),
    ],
)
def test_a_line_is_a_name_and_a_value_without_the_blanks_around_it(raw: bytes, name: bytes, value: bytes) -> None:
    """RFC 9110 sections 5.1, 5.5 and 5.6.2."""
    line = parse_field_line(raw)
    assert (line.name, line.value) == (name, value)
    assert line.environ_value == value.decode("latin-1")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage",
        b": no name",
        b"Host : blank before the colon",
        b"Host\t: tab before the colon",
        b" folded",
        b"\tfolded",
        b"a b: c",
        b"a(b): c",
        b'a"b: c',
        b"caf\xe9: c",
        b"X: a\rb",
        b"X: a\nb",
        b"X: a\0b",
        b"X: a\x0bb",
        b"X: a\x7fb",
        b"X: a\r",
        b"X: a\n",
    ],
)
def test_a_line_that_breaks_the_grammar_is_refused(raw: bytes) -> None:
    """RFC 9112 sections 2.2, 5.1 and 5.2; RFC 9110 section 5.5."""
    with pytest.raises(ProtocolError) as caught:
        parse_field_line(raw)
    assert caught.value.status == 400


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    """Backtracking over a run of blanks would take seconds for the longest head that is accepted."""
    begun = time.process_time()
    with pytest.raises(ProtocolError):
        parse_field_line(b"X:" + b" " * 65000 + b"\0")
    assert time.process_time() - begun < 1.0


def test_elements_of_a_list_are_lower_case_and_never_empty() -> None:
    """RFC 9110 section 5.6.1."""
    assert tokens(b" Close ,, \tUpgrade,keep-alive,") == [b"close", b"upgrade", b"keep-alive"]
    assert tokens(b"") == []


# ---------------------------------------------------------------- a block


def test_no_lines_are_an_empty_block() -> None:
    block = parse_block(b"")
    assert block.fields == []
    assert (block.host, block.content_length, block.transfer_encoding, block.environ) == (None, None, None, {})


def test_repeated_fields_are_joined_in_order() -> None:
    """RFC 9110 section 5.3."""
    block = block_of(b"Accept: a", b"X: 1", b"accept: b")
    assert block.get(b"accept") == b"a, b"
    assert block.get(b"none") is None


def test_the_environ_has_names_as_cgi_has_them() -> None:
    """PEP 3333 and RFC 3875 section 4.1.18."""
    block = block_of(b"Content-Type: a/b", b"Content-Length: 3", b"X-Two: 1", b"x-two: 2", b"Host: h")
    assert block.environ == {"CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "3", "HTTP_X_TWO": "1, 2", "HTTP_HOST": "h"}


def test_cookies_are_joined_by_semicolons_in_the_environ() -> None:
    assert block_of(b"Cookie: a=1", b"Cookie: b=2").environ == {"HTTP_COOKIE": "a=1; b=2"}


@pytest.mark.parametrize("line", [b"X_Two: 1", b"Content_Length: 5", b"Transfer_Encoding: chunked", b"Proxy: http://e"])
def test_a_name_that_could_pass_for_another_stays_out_of_the_environ(line: bytes) -> None:
    block = block_of(line)
    assert block.environ == {}
    assert len(block.fields) == 1
    assert (block.content_length, block.transfer_encoding) == (None, None)


HEARSAY = (
    b"Forwarded: for=10.0.0.1", b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: https", b"x-forwarded-Any: 1",
    b"X-Real-IP: 10.0.0.1", b"X-Gtxn-Id: GTID-C1-R1", b"X-Ltxn-Id: 2001", b"X_Forwarded_For: 10.0.0.1",
    b"X_Gtxn-Id: GTID-C1-R1",
)  # fmt: skip


@pytest.mark.parametrize("line", HEARSAY)
def test_what_only_a_proxy_can_know_is_withheld_from_apps(line: bytes) -> None:
    """Anybody can write these fields; who believes whom is decided elsewhere."""
    block = block_of(b"Host: h", line, b"X-Forward: 1", b"From: a")
    assert block.environ == {"HTTP_HOST": "h", "HTTP_X_FORWARD": "1", "HTTP_FROM": "a"}
    assert block.pairs == ((b"host", b"h"), (b"x-forward", b"1"), (b"from", b"a"))
    assert block.has_hearsay
    assert len(block.fields) == 4


def test_a_block_without_hearsay_shows_every_field() -> None:
    block = block_of(b"Host: h", b"X-Two: 1", b"X_Two: 2")
    assert not block.has_hearsay
    assert block.pairs == ((b"host", b"h"), (b"x-two", b"1"), (b"x_two", b"2"))


def test_what_is_believed_is_shown() -> None:
    lines = [FieldLine(b"x-forwarded-for", b"192.0.2.1", is_believed=True)]
    block = HeaderBlock(lines, forwarded_for=b"10.0.0.1, 192.0.2.1")
    assert not block.has_hearsay
    assert block.environ == {"HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    assert block.pairs == ((b"x-forwarded-for", b"192.0.2.1"),)
    assert block.log_fields[-1] == "10.0.0.1, 192.0.2.1"


def test_what_the_request_log_shows() -> None:
    block = block_of(
        b"Host: h", b"Authorization: Basic x", b"Referer: r", b"User-Agent: u", b"X-Forwarded-For: 10.0.0.1"
    )
    assert block.log_fields == ("h", "Basic x", "r", "u", "10.0.0.1")
    assert parse_block(b"").log_fields == (None,) * 5


@pytest.mark.parametrize(("count", "is_fine"), [(MAX_FIELDS, True), (MAX_FIELDS + 1, False)])
def test_the_number_of_fields_is_limited(count: int, is_fine: bool) -> None:
    lines = [b"X-%d: v" % number for number in range(count)]
    if is_fine:
        assert len(block_of(*lines).fields) == count
    else:
        assert status_of(*lines) == 431


# ---------------------------------------------------------------- framing


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"5", 5), (b"0005", 5), (b"9" * 18, 10**18 - 1)])
def test_content_length_is_a_decimal_number(value: bytes, length: int) -> None:
    assert block_of(b"Content-Length: " + value).content_length == length


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"-1",
        b"-0",
        b"+5",
        b"abc",
        b"0x5",
        b"0o5",
        b"0_5",
        b"5.0",
        b"5e0",
        b"5 5",
        b"5, 6",
        b"5, 5",
        b"5,",
        b'"5"',
        b"5;",
        b"9" * 19,
        b"9" * 5000,
        b"\xd9\xa5",
        b"\xb2",
        b"5\xa0",
        b"5\x85",
    ],
)
def test_any_other_content_length_is_refused(value: bytes) -> None:
    """RFC 9112 section 6.3."""
    assert status_of(b"Content-Length: " + value) == 400


@pytest.mark.parametrize("second", [b"5", b"6", b"0"])
def test_two_content_lengths_are_refused(second: bytes) -> None:
    assert status_of(b"Content-Length: 5", b"content-length: " + second) == 400


@pytest.mark.parametrize("second", [b"chunked", b"identity", b"gzip"])
def test_two_transfer_encodings_are_refused(second: bytes) -> None:
    assert status_of(b"Transfer-Encoding: chunked", b"Transfer-Encoding: " + second) == 400


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_is_recognised_in_any_case(value: bytes) -> None:
    assert block_of(b"Transfer-Encoding: " + value).is_chunked


@pytest.mark.parametrize(
    "value", [b"", b",", b"xchunked", b'"chunked"', b"chunked;a=b", b"\xa0chunked", b"gzip, chunked"]
)
def test_what_is_not_chunked_alone_is_not_taken_for_it(value: bytes) -> None:
    block = block_of(b"Transfer-Encoding: " + value)
    assert not block.is_chunked
    assert block.transfer_encoding is not None


# ---------------------------------------------------------------- host, connection, expect, upgrade


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a",
        b"a.example:80",
        b"a.example:",
        b"127.0.0.1:5000",
        b"[::1]",
        b"[::1]:5000",
        b"[fe80::1%25eth0]",
        b"a_b-c",
        b"%41",
    ],
)
def test_a_host_with_an_optional_port_is_taken(value: bytes) -> None:
    assert block_of(b"Host: " + value).host == value


@pytest.mark.parametrize(
    "value",
    [
        b"a b",
        b"a/b",
        b"a@b",
        b"http://a",
        b"a:b",
        b"a:1:2",
        b"a:123456",
        b"[::1",
        b"::1",
        b"[x]",
        b"a\\b",
        b"a, b",
        b"\xe9",
        b"a?b",
        b"a#b",
    ],
)
def test_any_other_host_is_refused(value: bytes) -> None:
    """RFC 9112 section 3.2: 400 for an invalid field value."""
    assert status_of(b"Host: " + value) == 400


def test_two_hosts_are_refused_also_when_they_are_equal() -> None:
    """RFC 9112 section 3.2: 400 for more than one Host line."""
    assert status_of(b"Host: a", b"Host: a") == 400


@pytest.mark.parametrize(
    ("lines", "wants"),
    [
        ([b"Connection: close"], (True, False)),
        ([b"Connection: Keep-Alive"], (False, True)),
        ([b"Connection: foo, CLOSE ,bar"], (True, False)),
        ([b"Connection: keep-alive", b"Connection: close"], (True, True)),
        ([b"Connection: disclosed"], (False, False)),
        ([b"Connection:"], (False, False)),
    ],
)
def test_connection_options(lines: list[bytes], wants: tuple[bool, bool]) -> None:
    """RFC 9110 section 7.6.1."""
    block = block_of(*lines)
    assert (block.wants_close, block.wants_keep_alive) == wants


@pytest.mark.parametrize(
    ("lines", "is_expected"),
    [
        ([b"Expect: 100-continue"], True),
        ([b"Expect: 100-Continue"], True),
        ([b"Expect: other, 100-continue"], True),
        ([b"Expect: 100-continue", b"Expect: other"], True),
        ([b"Expect: 200-whatever"], False),
        ([b"Expect: 100-continue-not"], False),
        ([], False),
    ],
)
def test_expectation(lines: list[bytes], is_expected: bool) -> None:
    """RFC 9110 section 10.1.1: a list, compared without case."""
    assert block_of(*lines).expects_continue is is_expected


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: WebSocket"], b"websocket"),
        ([b"Upgrade: websocket", b"Connection: keep-alive, upgrade"], b"websocket"),
        ([b"Upgrade: websocket"], None),
        ([b"Upgrade: websocket", b"Connection: close"], None),
        ([b"Connection: upgrade"], None),
    ],
)
def test_upgrade_counts_only_when_connection_names_it(lines: list[bytes], upgrade: bytes | None) -> None:
    """RFC 9110 section 7.8."""
    assert block_of(*lines).upgrade == upgrade


# ---------------------------------------------------------------- what is kept


def test_a_block_is_kept_on_second_sight() -> None:
    raw = b"Host: second-sight.example\r\nX-Second: sight"
    first, second, third = parse_block(raw), parse_block(raw), parse_block(raw)
    assert first is not second
    assert second is third


def test_a_refused_block_is_refused_again() -> None:
    for _ in range(3):
        assert status_of(b"Content-Length: 5", b"X-Refused: again", b"Content-Length: 6") == 400


def test_the_same_line_means_the_same_in_another_block() -> None:
    assert block_of(b"X-Kept: v", b"Content-Length: 5").content_length == 5
    assert block_of(b"X-Kept: v").content_length is None


def test_floods_do_not_grow_the_tables() -> None:
    for number in range(3 * headers._MAX_LINES):
        parse_block(b"X-Flood-%d: v" % number)
        parse_block(b"X-Flood-%d: v" % number)
    assert len(headers._LINES) <= headers._MAX_LINES
    assert len(headers._BLOCKS) <= headers._MAX_BLOCKS
    assert len(headers._NAMES) <= headers._MAX_NAMES


def test_long_lines_and_lines_that_change_with_each_request_are_not_kept() -> None:
    for raw in (b"X-Long: " + b"v" * headers._MAX_LINE_BYTES, b"Cookie: session=never-kept", b"Range: bytes=77-"):
        parse_field_line(raw)
        assert raw not in headers._LINES


# ---------------------------------------------------------------- cookies


_SITE = b"Host: cookies.example"
_KEEP = b"Connection: keep-alive, upgrade"
_BLOCKS_WITH_A_COOKIE = [
    [b"Cookie: a=1", _SITE],
    [_SITE, b"Cookie: a=1"],
    [_SITE, b"Cookie:\t a=1 \t", _KEEP],
    [_SITE, b"cookie: a=1", _KEEP, b"Upgrade: x", b"Content-Length: 3", b"Expect: 100-continue"],
    [_SITE, b"COOKIE: a=1"],
    [_SITE, b"Cookie:", b"Authorization: Basic dTpw", b"Referer: /r"],
    [_SITE, b"Cookie: a=1", b"Cookie: b=2"],
    [b"Cookie: a=1", _SITE, b"cookie: b=2"],
    [_SITE, b'X: "Cookie: a"', b"Cookie: caf\xe9=1"],
    [_SITE, b"Cookie2: a", b"Set-Cookie: b", b"Cookie: c"],
    [_SITE, b"Transfer-Encoding: chunked", b"Cookie: a=1", b"X-Forwarded-For: 192.0.2.1"],
    [b"Cookie: a=1"],
]


def _told(block: HeaderBlock) -> tuple[object, ...]:
    names = [line.name for line in block.fields]
    return (
        names, [block.get(name) for name in names], block.environ, block.pairs, block.log_fields, block.has_hearsay,
        block.content_length, block.transfer_encoding, block.is_chunked, block.host, block.wants_close,
        block.wants_keep_alive, block.expects_continue, block.upgrade, block.has_cookie,
    )  # fmt: skip


@pytest.mark.parametrize("lines", _BLOCKS_WITH_A_COOKIE)
def test_a_block_with_a_cookie_says_what_its_lines_say(lines: list[bytes]) -> None:
    expected = _told(HeaderBlock([parse_field_line(line) for line in lines]))
    for _ in range(3):
        assert _told(block_of(*lines)) == expected


def test_blocks_that_differ_in_their_cookie_share_the_rest() -> None:
    first, second, third = (block_of(_SITE, b"X-Shared: 1", b"Cookie: n=%d" % number) for number in range(3))
    assert second.stable is third.stable is not None
    assert [block.get(b"cookie") for block in (first, second, third)] == [b"n=0", b"n=1", b"n=2"]
    assert block_of(_SITE, b"X-Shared: 1") is third.stable
    assert not any(b"n=1" in raw for raw in headers._BLOCKS)


@pytest.mark.parametrize("cookie", [b"Cookie: a\0", b"Cookie: a\rb", b"Cookie: a\nb", b"Cookie : a", b"Cookie: a\x7f"])
@pytest.mark.parametrize("rest", [[_SITE], [_SITE, _KEEP]])
def test_a_cookie_is_held_to_the_same_rules(cookie: bytes, rest: list[bytes]) -> None:
    for _ in range(3):
        assert status_of(*rest, cookie) == 400
        assert status_of(cookie, *rest) == 400


@pytest.mark.parametrize("wrong", [b" folded", b"\tfolded", b"", b"no colon", b"X : y", b"Host: two"])
def test_what_stands_beside_a_cookie_is_held_to_the_same_rules(wrong: bytes) -> None:
    for _ in range(3):
        assert status_of(_SITE, b"Cookie: a=1", wrong) == 400
        assert status_of(b"Cookie: a=1", _SITE, wrong) == 400
        assert status_of(_SITE, wrong, b"Cookie: a=1", _KEEP) == 400


def test_a_cookie_counts_as_a_field() -> None:
    lines = [b"X-%d: v" % number for number in range(MAX_FIELDS - 1)]
    for _ in range(3):
        assert len(block_of(*lines, b"Cookie: a=1").fields) == MAX_FIELDS
        assert status_of(*lines, b"X: one too many", b"Cookie: a=1") == 431


def test_a_name_known_without_its_colon_is_no_line() -> None:
    parse_field_line(b"X-Known: v")
    for raw in (b"X-Known", b"X-Known v", b"X-Known\t: v"):
        with pytest.raises(ProtocolError):
            parse_field_line(raw)
