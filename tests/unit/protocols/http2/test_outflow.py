"""RFC 9113 sections 5.2 and 6.9: what may be sent when."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.frames import CONTINUATION, DATA, END_STREAM, HEADERS, RST_STREAM
from skitaid.protocols.http2.outflow import Outflow
from skitaid.protocols.http2.settings import PeerSettings
from tests.unit.protocols.http2.player import Frame, read_frames

OK = b"\x88"
PLENTY = 1 << 30


class FilePart:
    """Read in pieces; now and then the disk is slow."""

    def __init__(self, data: bytes, *, stalls: int = 0) -> None:
        self.data = data
        self.stalls = stalls
        self.is_closed = False

    def __len__(self) -> int:
        return len(self.data)

    def read(self, size: int) -> bytes | None:
        if self.stalls:
            self.stalls -= 1
            return None
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def close(self) -> None:
        self.is_closed = True


def flow(out: Outflow, stream_id: int = 1) -> Flow:
    return Flow(stream_id, 0, out.peer.initial_window)


def sent(out: Outflow) -> list[Frame]:
    out.pump(PLENTY)
    return read_frames(out.take())


def sizes(frames: list[Frame]) -> list[tuple[int, int]]:
    return [(each[2], len(each[3])) for each in frames if each[0] == DATA]


def test_a_small_response_goes_out_at_once() -> None:
    out = Outflow()
    one = flow(out)
    out.respond(one, OK, b"hello")
    assert read_frames(out.take()) == [(HEADERS, 4, 1, OK), (DATA, END_STREAM, 1, b"hello")]
    assert one.is_out_ended and out.frames_bytes == 0


def test_no_more_than_a_stream_allows() -> None:
    out = Outflow()
    out.set_peer(PeerSettings(initial_window=1), [])
    one = flow(out)
    out.respond(one, OK, b"hello")
    assert sizes(sent(out)) == [(1, 1)] and sizes(sent(out)) == []
    out.open_window(one, 3)
    assert sizes(sent(out)) == [(1, 3)] and not one.is_out_ended
    out.open_window(one, 10)
    assert sent(out) == [(DATA, END_STREAM, 1, b"o")] and one.is_out_ended


def test_no_more_than_the_connection_allows() -> None:
    out = Outflow()
    out.set_peer(PeerSettings(initial_window=1 << 20), [])
    one, two = flow(out, 1), flow(out, 3)
    out.respond(one, OK, b"x" * 60000)
    out.respond(two, OK, b"y" * 60000)
    assert sum(size for _, size in sizes(sent(out))) == 65535
    out.open_window(None, 10)
    assert sum(size for _, size in sizes(sent(out))) == 10
    out.open_window(None, 1 << 20)
    sent(out)
    assert one.is_out_ended and two.is_out_ended


def test_streams_take_turns() -> None:
    out = Outflow()
    out.open_window(None, 1 << 20)
    for stream_id in (1, 3, 5):
        out.data(flow(out, stream_id), b"x" * 32768)
    assert [each[0] for each in sizes(sent(out))] == [1, 3, 5, 1, 3, 5]


def test_a_stream_that_is_stuck_holds_up_nobody() -> None:
    out = Outflow()
    out.set_peer(PeerSettings(initial_window=10), [])
    stuck = flow(out, 1)
    out.respond(stuck, OK, b"x" * 50)
    out.respond(flow(out, 3), OK, b"hello")
    assert sizes(sent(out)) == [(3, 5), (1, 10)]
    assert stuck.waiting_bytes == 40


def test_settings_change_windows_even_below_zero() -> None:
    out = Outflow()
    out.set_peer(PeerSettings(initial_window=3), [])
    one = flow(out)
    out.respond(one, OK, b"hello")
    assert sizes(sent(out)) == [(1, 3)]
    out.set_peer(PeerSettings(initial_window=1), [one])
    assert one.out_window == -2
    out.open_window(one, 2)
    assert sizes(sent(out)) == []
    out.open_window(one, 1)
    assert sizes(sent(out)) == [(1, 1)]
    out.set_peer(PeerSettings(initial_window=100), [one])
    assert sizes(sent(out)) == [(1, 1)] and one.is_out_ended


def test_windows_that_overflow() -> None:
    out = Outflow()
    one = flow(out)
    with pytest.raises(StreamFault):
        out.open_window(one, (1 << 31) - 1)
    with pytest.raises(ConnectionFault):
        out.open_window(None, (1 << 31) - 1)
    one.out_window = (1 << 31) - 1
    with pytest.raises(ConnectionFault) as caught:
        out.set_peer(PeerSettings(initial_window=65536), [one])
    assert caught.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_an_empty_end_needs_no_window() -> None:
    out = Outflow()
    one = flow(out)
    one.out_window, out.window = -5, 0
    out.end(one, b"")
    assert read_frames(out.take()) == [(DATA, END_STREAM, 1, b"")]


def test_trailers_come_last() -> None:
    out = Outflow()
    one = flow(out)
    out.head(one, OK)
    out.data(one, b"hello")
    out.end(one, b"", b"\x00\x01a\x01b")
    assert sent(out) == [(HEADERS, 4, 1, OK), (DATA, 0, 1, b"hello"), (HEADERS, 5, 1, b"\x00\x01a\x01b")]


def test_a_long_head_is_continued() -> None:
    out = Outflow()
    out.respond(flow(out), b"\x00" * 40000, b"x")
    frames = sent(out)
    assert [(each[0], each[1], len(each[3])) for each in frames] == [
        (HEADERS, 0, 16384), (CONTINUATION, 0, 16384), (CONTINUATION, 4, 7232), (DATA, 1, 1),
    ]  # fmt: skip


def test_a_file() -> None:
    out = Outflow()
    one = flow(out)
    part = FilePart(b"x" * 20000, stalls=1)
    out.head(one, OK)
    out.file(one, part)
    out.end(one, b"")
    assert sizes(sent(out)) == [] and one.waiting_bytes == 0
    out.go_on(one)
    frames = sent(out)
    assert sizes(frames) == [(1, 16384), (1, 3616), (1, 0)] and part.is_closed and one.is_out_ended


def test_what_is_dropped_is_closed() -> None:
    out = Outflow()
    one = flow(out)
    part = FilePart(b"x" * 20000)
    out.data(one, b"y")
    out.file(one, part)
    out.reset(one, ErrorCode.CANCEL)
    assert part.is_closed and [each[0] for each in sent(out)] == [RST_STREAM]


@given(st.integers(0, 1 << 32), st.integers(0, 40000), st.lists(st.integers(0, 40000), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_everything_arrives_in_whatever_steps_windows_open(seed: int, window: int, lengths: list[int]) -> None:
    rng = random.Random(seed)
    out = Outflow()
    out.set_peer(PeerSettings(initial_window=window), [])
    flows = [flow(out, 1 + 2 * number) for number in range(len(lengths))]
    bodies = [rng.randbytes(length) for length in lengths]
    allowed, total = [window] * len(flows), 65535
    got = [b""] * len(flows)
    for one, body in zip(flows, bodies, strict=True):
        cut = rng.randint(0, len(body))
        out.head(one, OK)
        out.data(one, body[:cut])
        out.end(one, body[cut:])
    for _ in range(10000):
        for kind, _flags, stream_id, payload in read_frames((out.pump(rng.randint(1, 40000)), out.take())[1]):
            if kind == DATA:
                at = stream_id // 2
                got[at] += payload
                allowed[at] -= len(payload)
                total -= len(payload)
                assert not payload or (allowed[at] >= 0 and total >= 0)
        if all(one.is_out_ended for one in flows):
            break
        at = rng.randrange(len(flows) + 1)
        step = rng.randint(1, 20000)
        if at == len(flows):
            total += step
            out.open_window(None, step)
        else:
            allowed[at] += step
            if not flows[at].is_out_ended:
                out.open_window(flows[at], step)
    assert got == bodies
