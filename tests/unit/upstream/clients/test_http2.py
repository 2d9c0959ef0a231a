"""Calls over HTTP/2, against the h2 package in the member's role."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, PingFrame, PushPromiseFrame

from skitaid.protocols.http1.request import RequestError
from skitaid.upstream.call import Call
from skitaid.upstream.carrier import Peer
from skitaid.upstream.clients import http2 as module
from skitaid.upstream.clients.http2_head import request_head
from skitaid.upstream.clients.http2_protocol import STREAM_WINDOW
from skitaid.upstream.errors import Failure
from skitaid.upstream.transport import HIGH_BYTES
from tests.unit.upstream.clients.h2_rig import Carried, Engine, Rig

Make = Callable[..., Rig]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Rig] = []

    def make(settings: dict[SettingCodes, int] | None = None) -> Rig:
        made.append(Rig(settings))
        return made[-1].settled()

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make: Make) -> Rig:
    return make()


def failure_of(carried: Carried) -> tuple[Failure, bool, bool]:
    assert carried.error is not None
    return carried.error.failure, carried.error.is_unsent, carried.is_stale


# ---------------------------------------------------------------- one call


def test_a_call_and_its_response(rig: Rig) -> None:
    call = rig.call("GET", b"/a?b=c", fields=[(b"Accept", b"*/*"), (b"x-a", b" 1")])
    rig.turn()
    (request,) = rig.seen(RequestReceived)
    assert request.headers == [
        (":method", "GET"), (":scheme", "http"), (":authority", "app.test"), (":path", "/a?b=c"),
        ("accept", "*/*"), ("x-a", "1"),
    ]  # fmt: skip
    assert rig.seen(StreamEnded)
    rig.answer(
        1, [(":status", "200"), ("content-length", "5"), ("set-cookie", "a"), ("set-cookie", "b")], body=b"hello"
    )
    assert call.heard == ["response 200", "data", "end"]
    assert call.body == b"hello"
    assert list(call.fields) == [(b"content-length", b"5"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
    assert rig.connection.in_flight == 0
    assert rig.freed == 2  # the settings came, and the call was done


def test_the_host_of_the_call_goes_before_that_of_the_member(rig: Rig) -> None:
    rig.call(host=b"www.example.com")
    rig.turn()
    assert (":authority", "www.example.com") in rig.seen(RequestReceived)[0].headers


def test_what_is_of_http1_alone_is_left_out(rig: Rig) -> None:
    call = Carried(rig_call := rig.call().call, rig.engine)
    call.field_lines = b"Transfer-Encoding: chunked\r\nConnection: x\r\nTE: trailers\r\nX: y\r\n"
    assert rig_call.method == "GET"
    rig.connection.start(call)
    rig.turn()
    assert rig.seen(RequestReceived)[1].headers[4:] == [("te", "trailers"), ("x", "y")]


def test_a_body_that_is_kept_is_sent(rig: Rig) -> None:
    rig.call("POST", body=b"x" * 50_000)
    rig.turn()
    assert b"".join(event.data for event in rig.seen(DataReceived)) == b"x" * 50_000
    assert len(rig.seen(StreamEnded)) == 1


def test_a_body_in_pieces_and_trailers(rig: Rig) -> None:
    call = rig.call("POST", body=None)
    assert call.carrier is not None
    assert call.carrier.send(b"one ")
    assert call.carrier.send(b"two")
    rig.turn()
    assert not rig.seen(StreamEnded)
    call.carrier.end([(b"X-Sum", b"7")])
    rig.turn()
    assert b"".join(event.data for event in rig.seen(DataReceived)) == b"one two"
    assert rig.seen(TrailersReceived)[0].headers == [("x-sum", "7")]
    assert len(rig.seen(StreamEnded)) == 1


def test_pieces_that_were_there_before_the_connection(rig: Rig) -> None:
    early = Carried(rig.call().call.__class__("POST", b"/", body=None), rig.engine)
    early.early, early.ending = [b"a", b"b"], ()
    rig.connection.start(early)
    rig.turn()
    assert b"".join(event.data for event in rig.seen(DataReceived)) == b"ab"
    assert {event.stream_id for event in rig.seen(StreamEnded)} == {1, 3}


@pytest.mark.parametrize("promised", [2, 4])
def test_a_body_is_as_long_as_was_promised(rig: Rig, promised: int) -> None:
    call = rig.call("POST", body=None, content_length=promised)
    assert call.carrier is not None
    with pytest.raises(RequestError, match="promised"):
        call.carrier.send(b"abc")
        call.carrier.end()


def test_responses_before_the_final_one_and_trailers(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    rig.h2.send_headers(1, [(":status", "103"), ("link", "</a.css>")])
    rig.h2.send_headers(1, [(":status", "200")])
    rig.h2.send_data(1, b"x")
    rig.h2.send_headers(1, [("x-sum", "7")], end_stream=True)
    rig.turn()
    assert call.heard == ["information 103", "response 200", "data", "end [(b'x-sum', b'7')]"]


def test_a_flush_follows_what_came_if_more_is_to_come(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    rig.h2.send_headers(1, [(":status", "200")])
    rig.turn()
    rig.h2.send_data(1, b"x")
    rig.h2.send_data(1, b"y")
    rig.turn()
    assert call.heard == ["response 200", "flush", "data", "data", "flush"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200"), ("GET", "304"), ("GET", "204")])
def test_a_length_without_a_body_is_fine_where_there_is_none(rig: Rig, method: str, status: str) -> None:
    call = rig.call(method)
    other = rig.call()
    rig.turn()
    rig.answer(1, [(":status", status), ("content-length", "10")])
    assert call.heard == [f"response {status}", "end"]
    rig.answer(3, body=b"still here")
    assert other.body == b"still here"


def test_upgrades_are_not_for_it(rig: Rig) -> None:
    for more in ({"upgrade": b"websocket"}, {"method": "CONNECT"}):
        with pytest.raises(RequestError):
            rig.call(**more)
    assert rig.connection.in_flight == 0
    assert rig.call().heard == []


# ---------------------------------------------------------------- many calls


def test_many_calls_share_the_connection(rig: Rig) -> None:
    calls = [rig.call(target=b"/%d" % number) for number in range(100)]
    rig.turn()
    for number in reversed(range(100)):
        rig.answer(2 * number + 1, body=b"%d" % number)
    assert [call.body for call in calls] == [b"%d" % number for number in range(100)]


def test_before_the_settings_there_is_room_for_one() -> None:
    rig = Rig({SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    assert rig.connection.has_room
    rig.call()
    assert not rig.connection.has_room
    rig.settled()
    assert rig.freed
    rig.call()
    assert rig.connection.has_room
    rig.call()
    assert not rig.connection.has_room
    rig.close()


def test_a_place_is_free_after_a_call(make: Make) -> None:
    rig = make({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    rig.call()
    rig.turn()
    assert not rig.connection.has_room
    rig.answer(1)
    assert rig.connection.has_room
    rig.call()
    rig.turn()
    assert len(rig.seen(RequestReceived)) == 2


# ---------------------------------------------------------------- who is slow


def test_a_reader_that_pauses_holds_back_its_stream_alone(rig: Rig) -> None:
    slow, quick = rig.call(), rig.call()
    slow.is_keen = False
    rig.turn()
    for stream_id in (1, 3):
        rig.h2.send_headers(stream_id, [(":status", "200")])
    for _ in range(200):
        for stream_id in (1, 3):
            if rig.h2.local_flow_control_window(stream_id) >= 8192:
                rig.h2.send_data(stream_id, b"x" * 8192)
        rig.turn()
    assert len(slow.body) == 8192
    assert len(quick.body) == 200 * 8192
    assert rig.h2.local_flow_control_window(1) == 0
    assert slow.carrier is not None
    slow.is_keen = True
    slow.carrier.set_reading(True)
    rig.turn()
    assert len(slow.body) == STREAM_WINDOW
    assert rig.h2.local_flow_control_window(1) >= STREAM_WINDOW // 2


def test_the_end_waits_for_a_reader_that_pauses(rig: Rig) -> None:
    call = rig.call()
    call.is_keen = False
    rig.turn()
    rig.answer(1, body=b"hello")
    assert "end" not in call.heard
    assert call.carrier is not None
    call.carrier.set_reading(True)
    assert call.heard[-1] == "end"


def test_a_member_that_does_not_read_stops_the_sender(rig: Rig) -> None:
    call = rig.call("POST", body=None)
    assert call.carrier is not None
    sent = 0
    while call.carrier.send(b"x" * 16384):
        sent += 16384
        assert sent < 10_000_000
    assert sent <= 2 * HIGH_BYTES
    assert not call.writable
    while not call.writable:
        rig.turn()
        for event in rig.seen(DataReceived):
            rig.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        rig.events.clear()
    assert call.carrier.pending_bytes < HIGH_BYTES


def test_uploads_take_turns_when_the_window_opens(rig: Rig) -> None:
    calls = [rig.call("POST", body=b"%d" % number * 300_000) for number in range(3)]
    got = {1: 0, 3: 0, 5: 0}
    for _ in range(40):
        rig.turn()
        for event in rig.seen(DataReceived):
            got[event.stream_id] += len(event.data)
            rig.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if rig.seen(DataReceived) and all(got.values()):
            break
        rig.events.clear()
    # nobody is done, and everybody has begun
    assert all(0 < count < 300_000 for count in got.values())
    assert all(call.error is None for call in calls)


def test_a_response_that_comes_before_the_request_is_sent_ends_it(rig: Rig) -> None:
    call = rig.call("POST", body=None)
    rig.turn()
    rig.answer(1, [(":status", "413")])
    assert call.heard == ["response 413", "end"]
    assert rig.seen(StreamReset)[0].error_code == ErrorCodes.CANCEL
    assert not rig.is_closed


# ---------------------------------------------------------------- calls that are given up


def test_a_call_that_is_given_up_is_told_to_the_member_and_leaves_the_rest(rig: Rig) -> None:
    gone, stays = rig.call(), rig.call()
    rig.turn()
    assert gone.carrier is not None
    gone.carrier.abort()
    gone.carrier.abort()
    rig.h2.send_headers(1, [(":status", "200")])
    rig.turn()
    assert rig.seen(StreamReset)[0].stream_id == 1
    rig.answer(3, body=b"x")
    assert gone.heard == []
    assert stays.body == b"x"


def test_a_connection_on_which_nothing_was_heard_takes_no_more_calls(rig: Rig) -> None:
    call = rig.call()
    rig.engine.now += 30
    assert call.carrier is not None
    call.carrier.abort()
    assert rig.is_closed


def test_a_quick_change_of_mind_says_nothing_about_the_connection(rig: Rig) -> None:
    call = rig.call()
    rig.engine.now += 0.5
    assert call.carrier is not None
    call.carrier.abort()
    assert rig.connection.has_room


# ---------------------------------------------------------------- members that fail


def test_a_refused_stream_was_not_looked_at(rig: Rig) -> None:
    call = rig.call("POST", body=b"x")
    rig.turn()
    rig.h2.reset_stream(1, ErrorCodes.REFUSED_STREAM)
    rig.turn()
    assert failure_of(call) == (Failure.RESET, True, True)
    assert rig.connection.has_room


@pytest.mark.parametrize(("head", "failure"), [([], Failure.RESET), ([(":status", "200")], Failure.TRUNCATED)])
def test_a_stream_that_is_reset(rig: Rig, head: list[tuple[str, str]], failure: Failure) -> None:
    call = rig.call()
    rig.turn()
    if head:
        rig.h2.send_headers(1, head)
    rig.h2.reset_stream(1, ErrorCodes.INTERNAL_ERROR)
    rig.turn()
    assert failure_of(call) == (failure, False, False)
    assert str(call.error).endswith("the member reset the stream: INTERNAL_ERROR")


def test_a_member_that_goes_away_finishes_what_it_has(rig: Rig) -> None:
    kept, unseen = rig.call(), rig.call()
    rig.turn()
    rig.say(GoAwayFrame(last_stream_id=1).serialize())
    rig.engine.selector.select(0)
    assert failure_of(unseen) == (Failure.RESET, True, True)
    assert not rig.connection.has_room
    assert not rig.is_closed
    rig.answer(1, body=b"done")
    assert kept.body == b"done"
    assert kept.heard[-1] == "end"
    assert rig.is_closed


def test_an_idle_connection_closes_when_the_member_goes_away(rig: Rig) -> None:
    rig.say(GoAwayFrame(last_stream_id=0).serialize())
    rig.engine.selector.select(0)
    assert rig.is_closed


@pytest.mark.parametrize("is_first", [True, False])
def test_a_connection_that_is_closed_while_a_call_waits(rig: Rig, is_first: bool) -> None:
    if not is_first:
        rig.call()
        rig.turn()
        rig.answer(1)
    rig.engine.now += 1
    call = rig.call("POST", body=b"x")
    rig.socket.close()
    rig.engine.selector.select(0)
    assert failure_of(call) == (Failure.RESET, False, not is_first)
    assert rig.is_closed


def test_a_connection_that_breaks_within_a_response(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    rig.answer(1, body=None)
    rig.socket.close()
    rig.engine.selector.select(0)
    assert call.heard[-1] == "failed"
    assert failure_of(call)[0] is Failure.TRUNCATED


@pytest.mark.parametrize(("length", "body"), [("3", b"four"), ("5", b"four")])
def test_a_body_of_another_length_than_was_said_ends_its_stream_alone(rig: Rig, length: str, body: bytes) -> None:
    liar, other = rig.call(), rig.call()
    rig.turn()
    rig.answer(1, [(":status", "200"), ("content-length", length)], body=body)
    assert failure_of(liar)[0] is Failure.INVALID
    assert "end" not in liar.heard
    rig.answer(3, body=b"fine")
    assert other.body == b"fine"


# ---------------------------------------------------------------- hostile members


def headers(rig: Rig, pairs: list[tuple[str, str]], stream_id: int = 1) -> bytes:
    """A HEADERS frame that no server of good will sends."""
    frame = HeadersFrame(stream_id, rig.h2.encoder.encode(pairs), flags=["END_HEADERS"])
    return frame.serialize()


@pytest.mark.parametrize(
    "pairs",
    [
        [(":status", "200"), ("x", "a\r\nset-cookie: b")],
        [(":status", "200"), ("x", "a\nb")],
        [(":status", "200"), ("x", "a\0b")],
        [(":status", "200"), ("x\r\ny", "a")],
        [(":status", "200"), ("X", "a")],
        [(":status", "200"), ("a b", "a")],
        [(":status", "200"), ("", "a")],
        [(":status", "200"), ("connection", "close")],
        [(":status", "200"), ("transfer-encoding", "chunked")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        [(":status", "200"), ("content-length", "-1")],
        [(":status", "20")],
        [(":status", "abc")],
        [(":status", "101")],
        [(":status", "099")],
        [("x", "a")],
        [(":path", "/"), (":status", "200")],
        [(":status", "200"), (":status", "200")],
        [("x", "a"), (":status", "200")],
    ],
)
def test_heads_that_could_be_taken_for_something_else(rig: Rig, pairs: list[tuple[str, str]]) -> None:
    call = rig.call()
    rig.turn()
    rig.say(headers(rig, pairs))
    rig.engine.selector.select(0)
    assert call.heard == ["failed"]
    assert failure_of(call)[0] is Failure.INVALID


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\xff" * 64,
        b"\x00\x00\x00\x01\x04\x00\x00\x00\x01",
        DataFrame(99, b"x").serialize(),
        b"\0\0\x01\0\0\0\0\0\0x",  # DATA without a stream
        b"\0\0\0\x07\0\0\0\0\0",  # GOAWAY without a word
    ],
    ids=range(6),
)
def test_what_is_no_http2_fails_what_is_in_flight(rig: Rig, raw: bytes) -> None:
    call = rig.call()
    rig.turn()
    rig.say(raw)
    rig.engine.selector.select(0)
    assert failure_of(call)[0] is Failure.INVALID
    assert rig.is_closed


def test_a_pushed_response_is_none(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    block = rig.h2.encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")])
    frame = PushPromiseFrame(1, data=block, flags=["END_HEADERS"])
    frame.promised_stream_id = 2
    rig.say(frame.serialize())
    rig.engine.selector.select(0)
    assert failure_of(call)[0] is Failure.INVALID


def test_what_came_before_something_bad_is_heard(rig: Rig) -> None:
    call, other = rig.call(), rig.call()
    rig.turn()
    rig.h2.send_headers(1, [(":status", "200")], end_stream=True)
    rig.say(b"\xff" * 64)
    rig.engine.selector.select(0)
    assert call.heard == ["response 200", "end"]
    assert failure_of(other)[0] is Failure.INVALID


def test_no_end_of_responses_before_the_final_one(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    for _ in range(65):
        rig.h2.send_headers(1, [(":status", "103")])
    rig.turn()
    assert call.heard == ["information 103"] * 64 + ["failed"]


def test_nothing_but_empty_pieces_is_no_sign_of_life(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    rig.answer(1, body=None)
    rig.engine.now += 5
    for _ in range(100):
        rig.h2.send_data(1, b"")
    rig.turn()
    assert call.touched == rig.engine.now - 5
    assert call.body == b""


def test_who_asks_and_does_not_read_the_answers_is_left(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONTROL_BYTES", -200_000)
    call = rig.call()
    ping = PingFrame(0, b"12345678").serialize() * 200
    for _ in range(2000):
        rig.say(ping)
        rig.engine.selector.select(0)
        if rig.is_closed:
            break
    assert failure_of(call)[0] is Failure.INVALID


def test_frames_are_put_together_whatever_pieces_they_come_in(rig: Rig) -> None:
    call = rig.call()
    rig.turn()
    rig.h2.send_headers(1, [(":status", "200")])
    rig.h2.send_data(1, b"hello", end_stream=True)
    for byte in rig.h2.data_to_send():
        rig.say(bytes([byte]))
        rig.engine.selector.select(0)
    assert call.body == b"hello"
    assert call.heard[-1] == "end"


def test_whatever_a_member_says_each_call_ends_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Good answers with bytes changed, left out and put in."""
    source = random.Random(7)
    for _ in range(150):
        rig = Rig().settled()
        calls = [rig.call(), rig.call("POST", body=b"x")]
        rig.turn()
        for stream_id in (1, 3):
            rig.h2.send_headers(stream_id, [(":status", "200"), ("content-length", "5"), ("a", "b" * 50)])
            rig.h2.send_data(stream_id, b"hello", end_stream=True)
        rig.say(mutated(source, rig.h2.data_to_send()))
        rig.engine.selector.select(0)
        rig.socket.close()
        rig.engine.selector.select(0)
        for call in calls:
            assert [word for word in call.heard if word in ("end", "failed")] == call.heard[-1:]
            assert call.heard[-1] == "failed" or call.body == b"hello" or len(call.body) == 5
        assert rig.is_closed
        rig.close()
    assert capfd.readouterr().err == ""


def mutated(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(changed))
        match source.randrange(3):
            case 0:
                changed[at] = source.randrange(256)
            case 1:
                del changed[at : at + source.randrange(1, 9)]
            case _:
                changed[at:at] = source.randbytes(source.randrange(1, 9))
    return bytes(changed)


def test_credentials_of_the_member_go_before_those_of_the_call() -> None:
    call = Carried(Call("GET", b"/"), Engine())
    call.field_lines = b"Authorization: Bearer x\r\nx: y\r\n"
    head = request_head(call, Peer("m", b"h", True, b"Basic YTpi"))
    assert head[1:] == [
        (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/"), (b"x", b"y"),
        (b"authorization", b"Basic YTpi"),
    ]  # fmt: skip
