"""Files through a connection: order, slow and lost clients, files that shrink, disks that make wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine import file_segment
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.file_segment import FileSegment, OpenFile
from skitaid.engine.stream import Stream
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import MakeRig, Rig

CONTENT = bytes(index * 7 % 251 for index in range(3 << 20))


class Source:
    """A handler that sends a file, and what became of the descriptor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[OpenFile] = []
        self.streams: list[Stream] = []

    def open(self) -> OpenFile:
        file = OpenFile(os.open(self.path, os.O_RDONLY))
        self.files.append(file)
        return file

    def send(self, stream: Stream) -> None:
        """All of the file."""
        self.send_parts(stream, [(0, os.stat(self.path).st_size, b"")])

    def send_parts(self, stream: Stream, parts: list[tuple[int, int, bytes]], tail: bytes = b"") -> None:
        """Parts as (offset, length, what goes before)."""
        self.streams.append(stream)
        stream.is_dispatched = True
        file = self.open()
        length = sum(count + len(before) for _, count, before in parts) + len(tail)
        stream.start("200 OK", [("Content-Length", str(length))])
        try:
            for offset, count, before in parts:
                stream.write_file(FileSegment(file, offset, count), before)
            stream.write(tail)
        except ClientGoneError:
            stream.connection.abandon(stream)
            return
        finally:
            file.release()
        stream.finish()

    @property
    def are_closed(self) -> bool:
        return all(file.is_closed for file in self.files)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return Source(path)


def test_a_file_arrives_whole(rig: Rig, source: Source) -> None:
    rig.handler(source.send)
    reply = rig.client().get("/")
    assert (reply.code, reply.body == CONTENT, reply.is_whole) == (200, True, True)
    assert source.are_closed
    assert rig.records[0][8] == len(CONTENT)


def test_a_small_file_goes_out_at_once(rig: Rig, source: Source) -> None:
    source.path.write_bytes(b"small")
    rig.handler(source.send)
    client = rig.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.turn()
    assert client.reply().body == b"small"
    assert source.are_closed


def test_parts_arrive_in_order(rig: Rig, source: Source) -> None:
    parts = [(2 << 20, 300_000, b"first:"), (0, 5, b"second:"), (100, 400_000, b""), (7, 0, b"empty")]
    rig.handler(lambda stream: source.send_parts(stream, parts, b":end"))
    client = rig.client(send_buffer=4096)
    expected = b"".join(before + CONTENT[start : start + count] for start, count, before in parts) + b":end"
    assert client.get("/").body == expected
    assert client.get("/").body == expected
    assert source.are_closed


def test_head_gets_none_of_it(rig: Rig, source: Source) -> None:
    rig.handler(source.send)
    client = rig.client()
    reply = client.get("/", method="HEAD")
    assert (reply.body, reply.get("Content-Length")) == (b"", str(len(CONTENT)))
    assert client.get("/").body == CONTENT
    assert source.are_closed


def test_what_was_pipelined_comes_afterwards(rig: Rig, source: Source) -> None:
    rig.handler(source.send)
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    assert [client.reply().body == CONTENT for _ in range(3)] == [True] * 3


def test_a_slow_reader_does_not_hold_up_others(rig: Rig, source: Source) -> None:
    rig.handler(source.send, "/file")
    rig.handler(lambda stream: stream.respond("200 OK", [], b"quick"), "/quick")
    slow = rig.client(send_buffer=4096)
    slow.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    assert rig.client().get("/quick").body == b"quick"
    assert slow.connection.outgoing_bytes == 0, "a file that waits takes no memory"
    assert slow.reply().body == CONTENT


def test_a_quick_reader_takes_turns_with_others(rig: Rig, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast a client is, after a burst it is somebody else's turn."""
    events: list[str] = []

    def sendfile(out: int, fd: int, offset: int, count: int) -> int:
        events.append("burst")
        return count

    def quick(stream: Stream) -> None:
        events.append("quick")
        stream.respond("200 OK", [], b"")

    monkeypatch.setattr(os, "sendfile", sendfile)
    rig.handler(source.send, "/file")
    rig.handler(quick, "/quick")
    for path in (b"/file", b"/quick"):
        rig.client().send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    rig.settle()
    assert sorted(events) == ["burst", "burst", "burst", "quick"]
    assert events.index("quick") < 2


def test_a_client_that_goes_away(rig: Rig, source: Source) -> None:
    rig.handler(source.send)
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    assert client.take(1000)
    client.close()
    rig.until(lambda: client.is_closed)
    assert source.are_closed
    assert 0 < rig.records[0][8] < len(CONTENT), "the log tells what went out"


def test_a_client_that_takes_nothing(make_rig: MakeRig, source: Source) -> None:
    rig = make_rig(stall_s=5.0)
    rig.handler(source.send)
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    rig.advance(4.0)
    assert not client.is_closed
    rig.advance(3.0)
    assert client.is_closed
    assert source.are_closed


def test_a_file_cut_short_while_it_is_sent_cuts_the_connection(rig: Rig, source: Source) -> None:
    rig.handler(source.send)
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    os.truncate(source.path, 1 << 20)
    received = client.end()
    assert client.is_reset or len(received) < len(CONTENT)
    assert client.is_closed
    assert source.are_closed


def test_a_file_that_is_short_from_the_start_cuts_the_connection(rig: Rig, source: Source) -> None:
    rig.handler(lambda stream: source.send_parts(stream, [(len(CONTENT) - 10, 100, b"")]))
    client = rig.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.end()
    assert client.is_closed
    assert source.are_closed


def test_from_an_app_thread(make_rig: MakeRig, source: Source) -> None:
    """The thread is free again at once, although the client has hardly begun to read."""
    rig = make_rig(threads=1)
    ended = threading.Event()

    def job(stream: Stream) -> None:
        source.send(stream)
        ended.set()

    def serve(stream: Stream) -> None:
        stream.job = job
        rig.engine.submit(stream)

    rig.handler(serve)
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.until(ended.is_set)
    assert client.reply().body == CONTENT
    rig.until(lambda: source.are_closed)


def test_a_chunked_body_takes_no_files(rig: Rig, source: Source) -> None:
    raised: list[ResponseError] = []

    def serve(stream: Stream) -> None:
        stream.start("200 OK", [])
        file = source.open()
        with pytest.raises(ResponseError) as caught:
            stream.write_file(FileSegment(file, 0, 10))
        raised.append(caught.value)
        file.release()
        stream.finish()

    rig.handler(serve)
    assert rig.client().get("/").body == b""
    assert len(raised) == 1
    assert source.are_closed


def test_more_than_promised_is_refused(rig: Rig, source: Source) -> None:
    raised: list[ResponseError] = []

    def serve(stream: Stream) -> None:
        stream.start("200 OK", [("Content-Length", "5")])
        file = source.open()
        with pytest.raises(ResponseError) as caught:
            stream.write_file(FileSegment(file, 0, 10))
        raised.append(caught.value)
        file.release()
        stream.write(b"12345")
        stream.finish()

    rig.handler(serve)
    assert rig.client().get("/").body == b"12345"
    assert len(raised) == 1
    assert source.are_closed


# ---------------------------------------------------------------- disks that make wait


class Disk:
    """Stands in for the kernel: says what is in memory, and lets reads wait."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.reads = 0
        self.says_never = False
        self._read_up_to = 0

    def preadv(self, fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        if self.says_never or offset >= self._read_up_to:
            raise BlockingIOError
        return len(buffers[0])

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        assert self.may_read.wait(20)
        self.reads += 1
        self._read_up_to = max(self._read_up_to, offset + length)
        return b"x" * length


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(file_segment, "_NO_WAIT", 8)
    monkeypatch.setattr(os, "preadv", disk.preadv)
    monkeypatch.setattr(os, "pread", disk.pread)
    yield disk
    disk.may_read.set()


Serve = Callable[[Stream], Any]


def test_what_is_not_in_memory_is_read_beside_the_loop(rig: Rig, source: Source, disk: Disk) -> None:
    rig.handler(source.send, "/file")
    rig.handler(lambda stream: stream.respond("200 OK", [], b"quick"), "/quick")
    client = rig.client()
    client.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.turn(3)
    assert rig.client().get("/quick").body == b"quick"
    rig.settle()
    disk.may_read.set()
    assert client.reply().body == CONTENT
    assert disk.reads > 0
    assert source.are_closed


def test_while_the_disk_reads_more_may_be_queued(rig: Rig, source: Source, disk: Disk) -> None:
    parts = [(0, 1000, b""), (2 << 20, 1000, b"next:")]
    rig.handler(lambda stream: source.send_parts(stream, parts, b":end"))
    client = rig.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    disk.may_read.set()
    assert client.reply().body == CONTENT[:1000] + b"next:" + CONTENT[2 << 20 : (2 << 20) + 1000] + b":end"
    assert source.are_closed


def test_a_file_system_that_never_says_yes_comes_to_an_end(rig: Rig, source: Source, disk: Disk) -> None:
    disk.says_never = True
    disk.may_read.set()
    rig.handler(source.send)
    assert rig.client().get("/").body == CONTENT


def test_a_client_that_goes_away_while_the_disk_reads(rig: Rig, source: Source, disk: Disk) -> None:
    rig.handler(source.send)
    client = rig.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.turn(2)
    client.close()
    rig.until(lambda: client.is_closed)
    assert not source.are_closed, "the reader still has the file"
    disk.may_read.set()
    rig.until(lambda: source.are_closed)
    rig.turn(2)


def test_a_disk_that_takes_too_long(make_rig: MakeRig, source: Source, disk: Disk) -> None:
    rig = make_rig(stall_s=5.0)
    rig.handler(source.send)
    client = rig.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.turn(2)
    rig.advance(7.0)
    assert client.is_closed
    disk.may_read.set()
    rig.until(lambda: source.are_closed)
