"""Files to sockets. Both ways: by the kernel, and read where it can't."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.engine import file_segment as module
from skitaid.engine.file_segment import FileSegment, FileShrunkError, OpenFile

CONTENT = bytes(range(256)) * 1000
WAYS = ["sendfile", "read"]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenFile]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    file = OpenFile(os.open(path, os.O_RDWR))
    yield file
    if not file.is_closed:
        file.release()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "read":
        monkeypatch.setattr(module, "_HAS_SENDFILE", False)
    return str(request.param)


def pump(segment: FileSegment, pair: tuple[socket.socket, socket.socket]) -> bytes:
    """Send the segment to its end, as often as it takes."""
    received = b""
    for _ in range(10_000):
        if not len(segment):
            break
        try:
            segment.send(pair[0])
        except BlockingIOError:
            received += pair[1].recv(1 << 20)
    while True:
        try:
            received += pair[1].recv(1 << 20)
        except BlockingIOError:
            return received


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("offset", "length"), [(0, len(CONTENT)), (1000, 5), (len(CONTENT) - 1, 1), (77, 200_000)])
def test_exactly_these_bytes_are_sent(
    opened: OpenFile, pair: tuple[socket.socket, socket.socket], offset: int, length: int
) -> None:
    segment = FileSegment(opened, offset, length)
    assert pump(segment, pair) == CONTENT[offset : offset + length]
    segment.close()


@pytest.mark.usefixtures("way")
def test_no_more_than_the_limit_at_a_time(opened: OpenFile, pair: tuple[socket.socket, socket.socket]) -> None:
    segment = FileSegment(opened, 0, 1000)
    assert segment.send(pair[0], limit=10) == 10
    assert (segment.offset, len(segment)) == (10, 990)
    segment.close()


@pytest.mark.usefixtures("way")
def test_a_full_socket_takes_nothing(opened: OpenFile, pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            segment = FileSegment(opened, 0, len(CONTENT))
            try:
                segment.send(pair[0])
            finally:
                segment.close()
    assert (segment.offset, len(segment)) == (0, len(CONTENT))


@pytest.mark.usefixtures("way")
def test_a_file_that_shrank_is_told(opened: OpenFile, pair: tuple[socket.socket, socket.socket]) -> None:
    segment = FileSegment(opened, 0, 1000)
    os.ftruncate(opened.fd, 400)
    assert segment.send(pair[0]) == 400
    with pytest.raises(FileShrunkError, match="600 bytes"):
        segment.send(pair[0])
    segment.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_what_sendfile_does_not_know_is_read(
    opened: OpenFile, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls: list[int] = []

    def sendfile(*arguments: int) -> int:
        calls.append(arguments[2])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_HAS_SENDFILE", True)
    monkeypatch.setattr(module.os, "sendfile", sendfile)
    segment = FileSegment(opened, 10, 200_000)
    assert pump(segment, pair) == CONTENT[10:200_010]
    assert calls == [10], "asked once, not for every piece"
    segment.close()


def test_a_client_that_is_gone_is_an_error(opened: OpenFile, pair: tuple[socket.socket, socket.socket]) -> None:
    segment = FileSegment(opened, 0, 1000)
    pair[1].close()
    with pytest.raises(OSError, match=r"[Pp]ipe|reset"):
        segment.send(pair[0])
    segment.close()


def test_the_last_user_closes_the_descriptor(opened: OpenFile) -> None:
    first, second = FileSegment(opened, 0, 1), FileSegment(opened, 1, 1)
    opened.release()
    first.close()
    assert not opened.is_closed
    assert os.fstat(opened.fd).st_size == len(CONTENT)
    second.close()
    assert opened.is_closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened.fd)


def test_what_was_just_written_is_in_memory(opened: OpenFile) -> None:
    segment = FileSegment(opened, 0, len(CONTENT))
    assert segment.is_cached()
    segment.close()


def test_what_the_kernel_does_not_have_in_memory_is_not(opened: OpenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answers are given here: what it evicts can't be commanded."""
    asked: list[int] = []

    def preadv(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        assert flags == module._NO_WAIT
        asked.append(offset)
        if offset >= 500:
            raise BlockingIOError
        return len(buffers[0])

    monkeypatch.setattr(module.os, "preadv", preadv)
    monkeypatch.setattr(module, "_NO_WAIT", 8)
    head, all_of_it = FileSegment(opened, 0, 500), FileSegment(opened, 0, 1000)
    assert head.is_cached()
    assert not all_of_it.is_cached()
    assert asked == [499, 0, 999]
    head.close()
    all_of_it.close()


def test_a_file_system_that_can_not_tell_is_believed(opened: OpenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def preadv(*_: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(module.os, "preadv", preadv)
    segment = FileSegment(opened, 0, 10)
    assert segment.is_cached()
    segment.close()
