"""Against the h2 package: as the client of our server, and as another server that is fed the same frames."""

from __future__ import annotations

import random

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skitaid.protocols.http2.errors import ConnectionFault
from skitaid.protocols.http2.frames import END_HEADERS, END_STREAM, HEADERS, PREFACE, frame
from skitaid.protocols.http2.settings import settings_frame
from tests.unit.protocols.http2.player import GET, Played, data, read_frames, start


class Echo(Played):
    """Answers each request with its body, at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[int, bytes] = {}

    def end(self, stream: object, trailers: object) -> None:
        super().end(stream, trailers)  # type: ignore[arg-type]
        self._answer(stream)

    def request(self, stream: object, head: object) -> None:
        super().request(stream, head)  # type: ignore[arg-type]
        if stream.is_in_ended:  # type: ignore[attr-defined]
            self._answer(stream)

    def _answer(self, stream: object) -> None:
        stream_id = stream.stream_id  # type: ignore[attr-defined]
        body = b"".join(call[2] for call in self.calls if call[:2] == ("body", stream_id))  # type: ignore[misc]
        self.out.respond(stream, b"\x88", body or b"-")  # type: ignore[arg-type]
        if stream.is_out_ended:  # type: ignore[attr-defined]
            self.server.flows.pop(stream_id)


@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 300000), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_client_gets_back_what_it_sent(seed: int, lengths: list[int]) -> None:
    """Bodies of any length, in frames of any size, cut anywhere on their way, through the windows of both sides."""
    rng = random.Random(seed)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    client.initiate_connection()
    echo = Echo()
    echo.out.emit(echo.server.begin())
    bodies = {1 + 2 * number: rng.randbytes(length) for number, length in enumerate(lengths)}
    left, got, ended = dict(bodies), dict.fromkeys(bodies, b""), set()
    for stream_id in bodies:
        client.send_headers(stream_id, [(":method", "POST"), *GET[1:]])
    for _ in range(100000):
        _send_some(client, left, rng)
        upward = client.data_to_send()
        while upward:
            size = rng.choice([1, 9, 100, 16000, len(upward)])
            echo.server.feed(upward[:size])
            upward = upward[size:]
        for flow in echo.out.pump(1 << 20):
            echo.server.flows.pop(flow.stream_id, None)
        for event in client.receive_data(echo.out.take()):
            if isinstance(event, h2.events.DataReceived):
                got[event.stream_id] += event.data
                client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                ended.add(event.stream_id)
        if len(ended) == len(bodies):
            break
    assert got == {stream_id: body or b"-" for stream_id, body in bodies.items()}
    assert not echo.server.flows


def _send_some(client: h2.connection.H2Connection, left: dict[int, bytes], rng: random.Random) -> None:
    for stream_id, rest in list(left.items()):
        size = min(client.local_flow_control_window(stream_id), 16384, len(rest), rng.randint(1, 20000))
        if size or not rest:
            client.send_data(stream_id, rest[:size], end_stream=size == len(rest))
            left[stream_id] = rest[size:]
            if size == len(rest):
                del left[stream_id]


_POST = [(":method", "POST"), *GET[1:]]
_STEPS = st.one_of(
    st.tuples(st.just("get"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("post"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("data"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("end"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("reset"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("ping"), st.just(0)),
    st.tuples(st.just("window"), st.sampled_from([0, 1, 3, 5])),
    st.tuples(st.just("settings"), st.just(0)),
    st.tuples(st.just("trailers"), st.sampled_from([1, 3, 5])),
)


def _bytes_of(played: Played, step: tuple[str, int]) -> bytes:
    kind, stream_id = step
    if kind in ("get", "post", "trailers"):
        fields = {"get": GET, "post": _POST, "trailers": [("x-t", "v")]}[kind]
        flags = END_HEADERS if kind == "post" else END_HEADERS | END_STREAM
        # By literals alone: both sides read the same bytes whatever became of those before.
        block = b"".join(b"\0%c%b%c%b" % (len(n), n.encode(), len(v), v.encode()) for n, v in fields)
        return frame(HEADERS, flags, stream_id, block)
    return {
        "data": data(stream_id, b"x"), "end": data(stream_id, b"", is_end=True),
        "reset": frame(3, 0, stream_id, b"\0\0\0\x08"), "ping": frame(6, 0, 0, b"12345678"),
        "window": frame(8, 0, stream_id, b"\0\0\0\x01"), "settings": settings_frame({4: 70000}),
    }[kind]  # fmt: skip


def _ours(steps: list[tuple[str, int]]) -> tuple[list[tuple[object, ...]], bool]:
    played = start()
    try:
        for step in steps:
            played.feed(_bytes_of(played, step))
    except ConnectionFault:
        return _plain(played.calls), True
    return _plain(played.calls), False


def _plain(calls: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Requests, bodies octet by octet, and ends. How a body is cut into pieces says nothing."""
    plain: list[tuple[object, ...]] = []
    for call in calls:
        if call[0] == "body":
            assert isinstance(call[2], bytes)
            plain += [(*call[:2], octet) for octet in call[2]]
        elif call[0] in ("request", "end"):
            plain.append(call[:2])
    return plain


def _theirs(steps: list[tuple[str, int]]) -> tuple[list[tuple[object, ...]], bool]:
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    played = Played()
    calls: list[tuple[object, ...]] = []
    try:
        server.receive_data(PREFACE + settings_frame({}))
        for step in steps:
            for event in server.receive_data(_bytes_of(played, step)):
                _note(calls, event)
    except h2.exceptions.ProtocolError:
        return _plain(calls), True
    return _plain(calls), False


def _note(calls: list[tuple[object, ...]], event: h2.events.Event) -> None:
    if isinstance(event, h2.events.RequestReceived):
        calls.append(("request", event.stream_id))
    elif isinstance(event, h2.events.DataReceived):
        calls.append(("body", event.stream_id, event.data))
    elif isinstance(event, h2.events.StreamEnded):
        calls.append(("end", event.stream_id))


@given(st.lists(_STEPS, max_size=14))
@settings(max_examples=300, deadline=None)
def test_the_same_frames_mean_the_same(steps: list[tuple[str, int]]) -> None:
    """What both take they tell of alike, in the same order. One of them may end the connection earlier: we do for a
    reset of a stream that never was, h2 where we end a stream."""
    theirs, is_theirs_over = _theirs(steps)
    ours, is_ours_over = _ours(steps)
    # Of a request that is complete with its head, h2 tells the end apart.
    ours_told = [call for call in ours if call[0] != "end"]
    theirs_told = [call for call in theirs if call[0] != "end"]
    if is_theirs_over or is_ours_over:
        least = min(len(ours_told), len(theirs_told))
        ours_told, theirs_told = ours_told[:least], theirs_told[:least]
    assert ours_told == theirs_told
    if not is_theirs_over:
        assert {call for call in ours if call[0] == "end"} <= {call for call in theirs if call[0] == "end"}


def test_the_test_above_can_tell() -> None:
    assert _ours([("post", 1), ("data", 1)]) == ([("request", 1), ("body", 1, ord("x"))], False)
    assert _theirs([("post", 1), ("data", 1)]) == _ours([("post", 1), ("data", 1)])
    assert _ours([("data", 1)])[1] and _theirs([("data", 1)])[1]


def test_frames_of_ours_are_read_by_h2() -> None:
    assert read_frames(frame(6, 0, 0, b"12345678")) == [(6, 0, 0, b"12345678")]
    with pytest.raises(AssertionError):
        read_frames(frame(6, 0, 0, b"12345678")[:-1])
