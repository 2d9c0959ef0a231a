"""By sections of RFC 9113."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode
from skitaid.protocols.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    goaway_frame,
    reset_frame,
    window_frame,
)
from skitaid.protocols.http2.limits import Http2Limits
from skitaid.protocols.http2.settings import settings_frame
from tests.unit.protocols.http2.player import GET, Played, data, get, post, read_frames, start

ALL = END_HEADERS | END_STREAM
DEPENDS_ON_1 = b"\0\0\0\1\x10"


def code_of(played: Played, *frames: bytes) -> str:
    """Of the connection error that the frames cause."""
    with pytest.raises(ConnectionFault) as caught:
        played.feed(*frames)
    return caught.value.code.name


def reset_of(sent: list[tuple[int, int, int, bytes]]) -> tuple[int, str]:
    """Stream and code of the one RST_STREAM among what was sent."""
    (one,) = [each for each in sent if each[0] == RST_STREAM]
    return one[2], ErrorCode(int.from_bytes(one[3], "big")).name


# ---------------------------------------------------------------- 3.4, 4.1


def test_the_preface_is_answered_with_settings_and_theirs_with_an_ack() -> None:
    played = Played()
    first = read_frames(played.server.begin())
    assert [each[0] for each in first] == [SETTINGS, WINDOW_UPDATE]
    assert played.feed(PREFACE + settings_frame({})) == [(SETTINGS, 1, 0, b"")]


def test_another_preface() -> None:
    assert code_of(Played(), b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n") == "PROTOCOL_ERROR"
    assert code_of(Played(), PREFACE[:10], b"GET / HTTP/1.1") == "PROTOCOL_ERROR"


def test_the_first_frame_is_settings() -> None:
    assert code_of(Played(), PREFACE + frame(PING, 0, 0, bytes(8))) == "PROTOCOL_ERROR"
    assert code_of(Played(), PREFACE + frame(SETTINGS, 1, 0)) == "PROTOCOL_ERROR"


def test_unknown_frames_are_ignored() -> None:
    played = start()
    assert played.feed(frame(0x16, 0xFF, 0, b"x" * 8), frame(0xFA, 1, 7, b"y")) == []


def test_a_reserved_bit_is_ignored() -> None:
    assert start().feed(frame(PING, 0, 1 << 31, b"12345678")) == [(PING, 1, 0, b"12345678")]


def test_a_frame_that_is_too_long() -> None:
    played = start()
    post(played)
    assert code_of(played, b"\0\x40\x01" + bytes((DATA, 0)) + b"\0\0\0\1") == "FRAME_SIZE_ERROR"
    assert code_of(start(), b"\xff\xff\xff" + bytes((DATA, 0)) + b"\0\0\0\1") == "FRAME_SIZE_ERROR"


def test_it_is_the_same_in_pieces_of_any_size() -> None:
    played = Played()
    stream = PREFACE + settings_frame({4: 1000}) + played.headers(1, [(":method", "POST"), *GET[1:]], END_HEADERS)
    stream += data(1, b"hello") + data(1, b"", is_end=True) + played.headers(3) + frame(PING, 0, 0, b"12345678")
    whole = Played()
    answer = whole.feed(stream)
    for size in (1, 2, 7, 100):
        cut = Played()
        assert cut.feed(*(stream[at : at + size] for at in range(0, len(stream), size))) == answer
        assert cut.calls == whole.calls
        assert not cut.server.is_midway


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_a_frame_or_a_fault(noise: bytes) -> None:
    """And the same in one piece and byte by byte."""
    ends = []
    for pieces in ([noise], [noise[at : at + 1] for at in range(len(noise))]):
        played = start()
        try:
            played.feed(*pieces)
            ends.append((played.calls, ""))
        except ConnectionFault as fault:
            ends.append((played.calls, fault.code.name))
    assert ends[0] == ends[1]


_KINDS = st.tuples(
    st.integers(0, 10), st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]), st.integers(0, 7), st.binary(max_size=24)
)


@given(st.lists(_KINDS, max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_frames_in_any_order(frames: list[tuple[int, int, int, bytes]]) -> None:
    """Nothing but ConnectionFault comes out; each stream that is told of is told of in order."""
    played = start()
    try:
        post(played)
        played.feed(*(frame(*each) for each in frames))
    except ConnectionFault:
        pass
    states: dict[object, str] = {}
    for name, stream_id, *_ in played.calls:
        before = states.get(stream_id)
        assert (before is None) == (name in ("request", "refuse"))
        assert before not in ("end", "lost") or (before == "end" and name == "lost")
        states[stream_id] = str(name)


# ---------------------------------------------------------------- 4.3, 6.2, 6.10


@pytest.mark.parametrize(
    "block",
    [b"\xff\xff\x7f", b"\x80", b"\x40\x0a", b"\xff" * 41 + b"\x01", b"\x40\x01a\x7f\xff\xff\x03x", b"\x20",
     b"\x40\x01a\x84\xff\xff\xff\xff"],
    ids=["index", "index 0", "cut", "overflow", "too long", "size at the end", "EOS"],
)  # fmt: skip
def test_a_block_that_cannot_be_read(block: bytes) -> None:
    played = start()
    assert code_of(played, frame(HEADERS, ALL, 1, played.block(GET) + block)) == "COMPRESSION_ERROR"


def test_a_table_larger_than_allowed() -> None:
    played = start()
    block = b"\x3f\xe1\xff\xff\x07" + played.block(GET)
    assert code_of(played, frame(HEADERS, ALL, 1, block)) == "COMPRESSION_ERROR"


def test_heads_by_the_dynamic_table() -> None:
    """The same bytes mean another thing after the table changed."""
    played = start()
    for number, value in enumerate("aaaabbbaab"):
        played.feed(played.headers(1 + 2 * number, [*GET, ("x-a", value)]))
    assert [head.fields.get(b"x-a") for head in played.heads] == [value.encode() for value in "aaaabbbaab"]


def test_the_same_block_after_the_table_was_emptied() -> None:
    played = start()
    for stream_id in (1, 3, 5):
        played.feed(played.headers(stream_id, [*GET, ("x-a", "1")]))
    known = played.block([*GET, ("x-a", "1")])
    played.feed(frame(HEADERS, ALL, 7, known), frame(HEADERS, ALL, 9, b"\x20" + b"\x82\x84\x86\x01\x01a"))
    assert code_of(played, frame(HEADERS, ALL, 11, known)) == "COMPRESSION_ERROR"


def test_a_head_that_comes_again_is_the_same_object() -> None:
    played = start()
    for stream_id in range(1, 13, 2):
        played.feed(played.headers(stream_id))
    assert played.heads[-1] is played.heads[-2]


def test_continuations() -> None:
    played = start()
    block = played.block([*GET, ("x-a", "b" * 50)])
    cut = [block[:5], block[5:9], b"", block[9:]]
    played.feed(frame(HEADERS, END_STREAM, 1, cut[0]), *(frame(CONTINUATION, 0, 1, each) for each in cut[1:3]))
    assert played.server.is_midway and not played.calls
    played.feed(frame(CONTINUATION, END_HEADERS, 1, cut[3]))
    assert played.calls == [("request", 1, "GET", "/", True)]


def test_nothing_comes_between_headers_and_continuation() -> None:
    for other in (
        frame(PING, 0, 0, bytes(8)),
        frame(CONTINUATION, END_HEADERS, 3, b""),
        data(1, b"x"),
        frame(99, 0, 1),
    ):
        played = start()
        assert code_of(played, frame(HEADERS, 1, 1, played.block(GET)[:4]), other) == "PROTOCOL_ERROR"


def test_continuation_without_headers() -> None:
    played = start()
    assert code_of(played, played.headers(1), frame(CONTINUATION, END_HEADERS, 1, b"")) == "PROTOCOL_ERROR"


def test_padding_and_priority() -> None:
    played = start()
    block = played.block(GET)
    played.feed(frame(HEADERS, ALL | PADDED | PRIORITY_FLAG, 1, b"\x02" + b"\0\0\0\0\x10" + block + b"\0\0"))
    assert played.calls == [("request", 1, "GET", "/", True)]
    for bad in (b"", b"\xff" + block, b"\x01"):
        assert code_of(start(), frame(HEADERS, ALL | PADDED, 1, bad)) == "PROTOCOL_ERROR"
    assert code_of(start(), frame(HEADERS, ALL | PRIORITY_FLAG, 1, b"\0\0\0\0")) == "FRAME_SIZE_ERROR"


# ---------------------------------------------------------------- 5.1


@pytest.mark.parametrize("one", [data(1, b"x"), reset_frame(1, ErrorCode.CANCEL), window_frame(1, 8)])
def test_frames_for_a_stream_that_is_idle(one: bytes) -> None:
    assert code_of(start(), one) == "PROTOCOL_ERROR"


@pytest.mark.parametrize("stream_id", [0, 2])
def test_numbers_that_no_client_has(stream_id: int) -> None:
    played = start()
    assert code_of(played, played.headers(stream_id)) == "PROTOCOL_ERROR"


def test_a_number_below_the_last_one() -> None:
    played = start()
    get(played, 5)
    assert code_of(played, played.headers(3)) == "PROTOCOL_ERROR"


def test_frames_after_the_end_of_a_stream() -> None:
    for again in (data(1, b"x"), None):
        played = start()
        get(played)
        assert reset_of(played.feed(again or played.headers(1))) == (1, "STREAM_CLOSED")
        assert played.calls[-1] == ("lost", 1, "STREAM_CLOSED")


def test_frames_for_a_stream_that_is_closed() -> None:
    played = start()
    flow = get(played)
    played.out.respond(flow, b"\x88", b"hello")
    del played.server.flows[1]
    assert reset_of(played.feed(data(1, b"x"))) == (1, "STREAM_CLOSED")
    assert played.feed(window_frame(1, 10), reset_frame(1, ErrorCode.CANCEL), frame(PRIORITY, 0, 1, bytes(5))) == []
    assert code_of(played, played.headers(1)) == "STREAM_CLOSED"


def test_after_a_reset_of_theirs_nothing_may_come() -> None:
    played = start()
    post(played)
    played.feed(reset_frame(1, ErrorCode.CANCEL))
    assert played.calls[-1] == ("lost", 1, "CANCEL")
    assert reset_of(played.feed(data(1, b"x"))) == (1, "STREAM_CLOSED")


def test_after_a_reset_of_ours_what_was_on_its_way_is_ignored() -> None:
    played = start()
    flow = post(played)
    played.out.reset(flow, ErrorCode.NO_ERROR)
    played.server.flows.pop(1)
    played.server.note_reset(1)
    played.feed()
    assert played.feed(data(1, b"x"), data(1, b"y", is_end=True), window_frame(1, 5)) == []


def test_streams_above_the_limit_are_refused() -> None:
    played = start(Http2Limits(max_streams=2))
    post(played, 1), post(played, 3)
    assert reset_of(played.feed(played.headers(5))) == (5, "REFUSED_STREAM")
    assert len(played.heads) == 2


def test_after_goaway_of_ours_new_streams_are_not_looked_at() -> None:
    played = start()
    post(played)
    played.server.accepts = 1
    assert played.feed(played.headers(3, [*GET, ("x-a", "b")]), data(1, b"x", is_end=True)) == []
    assert [call[0] for call in played.calls] == ["request", "body", "end"]


# ---------------------------------------------------------------- 6.1 and 8.1: bodies


def test_a_body() -> None:
    played = start()
    post(played)
    played.feed(data(1, b"he"), frame(DATA, PADDED, 1, b"\x03llo\0\0\0"), data(1, b"", is_end=True))
    assert played.calls[1:] == [("body", 1, b"hello"), ("end", 1, ())]


def test_padding_as_long_as_its_frame() -> None:
    for payload in (b"\x06hello", b""):
        played = start()
        post(played)
        assert code_of(played, frame(DATA, PADDED, 1, payload)) == "PROTOCOL_ERROR"


@pytest.mark.parametrize("pieces", [[b"test"], [b"te", b"st"], [b""], [b"tes", b"t", b""]])
@pytest.mark.parametrize("length", ["1", "9"])
def test_a_body_of_another_length(pieces: list[bytes], length: str) -> None:
    played = start()
    post(played, 1, ("content-length", length))
    sent = [data(1, piece, is_end=piece is pieces[-1]) for piece in pieces]
    resets = [each for each in played.feed(*sent) if each[0] == RST_STREAM]
    assert resets[0][3] == ErrorCode.PROTOCOL_ERROR.to_bytes(4, "big")
    assert ("lost", 1, "PROTOCOL_ERROR") in played.calls and played.calls[-1][0] != "end"


def test_trailers() -> None:
    played = start()
    post(played)
    played.feed(data(1, b"te"), played.headers(1, [("x-t", "v")]))
    assert played.calls[-1] == ("end", 1, ((b"x-t", b"v"),))


@pytest.mark.parametrize(
    ("fields", "flags"), [([("x-t", "v")], END_HEADERS), ([(":path", "/x")], ALL), ([("X-T", "v")], ALL)]
)
def test_trailers_that_are_none(fields: list[tuple[str, str]], flags: int) -> None:
    played = start()
    post(played)
    assert reset_of(played.feed(data(1, b"te"), played.headers(1, fields, flags))) == (1, "PROTOCOL_ERROR")


# ---------------------------------------------------------------- 6.3 to 6.8


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (frame(PRIORITY, 0, 0, bytes(5)), "PROTOCOL_ERROR"),
        (frame(PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR"),
        (frame(PRIORITY, 0, 1, DEPENDS_ON_1), "PROTOCOL_ERROR"),
        (reset_frame(0, ErrorCode.CANCEL), "PROTOCOL_ERROR"),
        (frame(RST_STREAM, 0, 1, bytes(3)), "FRAME_SIZE_ERROR"),
        (frame(SETTINGS, 1, 0, bytes(6)), "FRAME_SIZE_ERROR"),
        (frame(SETTINGS, 0, 1), "PROTOCOL_ERROR"),
        (frame(SETTINGS, 0, 0, bytes(5)), "FRAME_SIZE_ERROR"),
        (settings_frame({2: 2}), "PROTOCOL_ERROR"),
        (settings_frame({4: 1 << 31}), "FLOW_CONTROL_ERROR"),
        (settings_frame({5: 16383}), "PROTOCOL_ERROR"),
        (settings_frame({5: 1 << 24}), "PROTOCOL_ERROR"),
        (settings_frame({8: 2}), "PROTOCOL_ERROR"),
        (frame(PUSH_PROMISE, 4, 1, bytes(8)), "PROTOCOL_ERROR"),
        (frame(PING, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
        (frame(PING, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
        (frame(GOAWAY, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
        (frame(GOAWAY, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
        (window_frame(0, 0), "PROTOCOL_ERROR"),
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), "FRAME_SIZE_ERROR"),
        (window_frame(0, (1 << 31) - 1), "FLOW_CONTROL_ERROR"),
        (data(0, b"x"), "PROTOCOL_ERROR"),
    ],
)
def test_frames_that_end_the_connection(one: bytes, code: str) -> None:
    assert code_of(start(), one) == code


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (frame(PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR"),
        (frame(PRIORITY, 0, 1, DEPENDS_ON_1), "PROTOCOL_ERROR"),
        (window_frame(1, 0), "PROTOCOL_ERROR"),
        (window_frame(1, (1 << 31) - 1), "FLOW_CONTROL_ERROR"),
        (data(1, b"x" * 16384) * 17, "FLOW_CONTROL_ERROR"),
    ],
)
def test_frames_that_end_their_stream(one: bytes, code: str) -> None:
    played = start()
    flow = post(played)
    played.server.pause(flow)
    assert reset_of(played.feed(one)) == (1, code)
    assert played.calls[-1] == ("lost", 1, code)
    played.feed(played.headers(3))
    assert played.calls[-1] == ("request", 3, "GET", "/", True)


def test_unknown_settings_are_ignored() -> None:
    assert start().feed(settings_frame({0x99: 7})) == [(SETTINGS, 1, 0, b"")]


def test_ping_is_answered_and_an_ack_is_not() -> None:
    assert start().feed(frame(PING, 0, 0, b"12345678"), frame(PING, 1, 0, b"87654321")) == [(PING, 1, 0, b"12345678")]


def test_what_was_asked_for_before_goaway_goes_on() -> None:
    played = start()
    post(played)
    played.feed(goaway_frame(0, ErrorCode.NO_ERROR), data(1, b"x", is_end=True))
    assert played.calls[-1] == ("end", 1, ())


# ---------------------------------------------------------------- 6.9: windows for what comes in


def test_window_is_given_back_as_it_is_used() -> None:
    played = start()
    post(played)
    sent = []
    for _ in range(200):
        sent += played.feed(data(1, b"x" * 16384))
    given = {0: 0, 1: 0}
    for _, _, stream_id, payload in sent:
        given[stream_id] += int.from_bytes(payload, "big")
    assert all(each[0] == WINDOW_UPDATE for each in sent) and len(sent) < 40
    assert given[1] > 200 * 16384 - (1 << 18) and given[0] > 200 * 16384 - (1 << 20)


def test_nothing_is_given_back_to_a_stream_that_pauses() -> None:
    played = start()
    flow = post(played)
    played.server.pause(flow)
    sent = played.feed(*[data(1, b"x" * 16384)] * 16)
    assert [each for each in sent if each[2] == 1] == []
    played.server.resume(flow)
    assert played.feed() == [(WINDOW_UPDATE, 0, 1, (16 * 16384).to_bytes(4, "big"))]


def test_more_than_the_connection_allows() -> None:
    played = start(Http2Limits(window=65535, stream_window=1 << 20))
    post(played)
    # 4 frames of 16384 bytes are one byte too many; half of it is given back on the way.
    block = data(1, b"x" * 16384)
    sent = played.feed(*[block] * 8)
    assert sum(int.from_bytes(each[3], "big") for each in sent) >= 8 * 16384 - 65535
    played.server._window = 100
    assert code_of(played, block) == "FLOW_CONTROL_ERROR"


# ---------------------------------------------------------------- floods


def flood(played: Played, *frames: bytes) -> str:
    with pytest.raises(ConnectionFault) as caught:
        for _ in range(5000):
            played.feed(*frames)
    return caught.value.code.name


@pytest.mark.parametrize(
    "one",
    [
        frame(PING, 0, 0, bytes(8)), settings_frame({4: 65535}), frame(PRIORITY, 0, 7, bytes(5)), data(1, b""),
        frame(SETTINGS, ACK, 0),
        window_frame(0, 1), window_frame(1, 1), frame(0xBE, 0, 0, b"x" * 100), goaway_frame(0, ErrorCode.NO_ERROR),
    ],
)  # fmt: skip
def test_frames_without_end_that_carry_nothing(one: bytes) -> None:
    played = start()
    post(played)
    assert flood(played, one) == "ENHANCE_YOUR_CALM"


def test_what_a_client_needs_for_its_work_is_no_flood() -> None:
    played = start()
    for _ in range(20):
        played.feed(*[frame(PING, 0, 0, bytes(8))] * 90)
        played.server.refill()
    for _ in range(3000):
        played.feed(window_frame(0, 1))
        played.server.earn(2)


@pytest.mark.parametrize("end", [reset_frame, lambda stream_id, code: window_frame(stream_id, 0)])
def test_requests_without_end_that_are_given_up(end: object) -> None:
    """CVE-2023-44487, and CVE-2025-8671 where the server is made to reset them."""
    assert callable(end)
    played = start()
    with pytest.raises(ConnectionFault) as caught:
        for stream_id in range(1, 2001, 2):
            played.feed(played.headers(stream_id, flags=END_HEADERS), end(stream_id, ErrorCode.CANCEL))
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM
    assert len(played.heads) <= 201


@pytest.mark.parametrize("piece", [b"", b"x" * 16000])
def test_header_blocks_without_end(piece: bytes) -> None:
    """CVE-2024-27316 and its kin."""
    played = start()
    played.feed(frame(HEADERS, 0, 1, played.block(GET)))
    assert flood(played, frame(CONTINUATION, 0, 1, piece)) == "ENHANCE_YOUR_CALM"


def test_a_block_that_grows_when_it_is_read() -> None:
    played = start()
    played.feed(played.headers(1, [*GET, ("x-bomb", "B" * 3500)]))
    block = played.block(GET) + b"\xbe" * 12000
    assert code_of(played, frame(HEADERS, ALL, 3, block)) == "ENHANCE_YOUR_CALM"


def test_too_many_fields_are_told_so() -> None:
    played = start()
    played.feed(played.headers(1, [*GET, *[("x-a", "b")] * 300]))
    assert played.calls == [("refuse", 1, 431)]


def test_settings_of_an_upgrade() -> None:
    played = Played()
    stream = played.open(1)
    played.server.upgrade(struct.pack(">HI", 4, 100), stream)
    assert (stream.out_window, played.server.last_id, played.server.flows) == (100, 1, {1: stream})
