from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skitaid.engine import disk as module
from skitaid.engine.disk import MAX_THREADS, DiskThreads
from skitaid.engine.file_segment import FileSegment, OpenFile
from skitaid.engine.portal import Portal
from skitaid.engine.selector import EngineSelector

PATIENCE_S = 20.0


class Loop:
    """A selector with a portal, turned by hand."""

    def __init__(self) -> None:
        self.selector = EngineSelector()
        self.portal = Portal(self.selector)

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(int(PATIENCE_S * 100)):
            if condition():
                return
            self.selector.select(0.01)
        raise AssertionError(f"did not happen within {PATIENCE_S:g} s: {condition}")


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.portal.close()
    loop.selector.close()


@pytest.fixture
def readers(loop: Loop) -> Iterator[DiskThreads]:
    readers = DiskThreads(loop.portal)
    yield readers
    readers.close()
    for thread in readers._threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[FileSegment]:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 600_000)
    opened = OpenFile(os.open(path, os.O_RDONLY))
    segment = FileSegment(opened, 100, 500_000)
    opened.release()
    yield segment
    if not segment.file.is_closed:
        segment.close()


def test_no_thread_before_there_is_an_order(readers: DiskThreads) -> None:
    assert readers._threads == []


def test_the_bytes_are_read_and_then_the_loop_is_told(
    loop: Loop, readers: DiskThreads, segment: FileSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    real_pread = os.pread

    def pread(fd: int, length: int, offset: int) -> bytes:
        read.append((offset, length))
        return real_pread(fd, length, offset)

    monkeypatch.setattr(module.os, "pread", pread)
    told: list[threading.Thread] = []
    readers.bring(segment, lambda: told.append(threading.current_thread()))
    loop.until(lambda: told)
    assert told == [threading.main_thread()]
    assert read[0][0] == 100
    assert sum(length for _, length in read) == 500_000
    assert (segment.offset, len(segment)) == (100, 500_000)


def test_a_file_closed_meanwhile_stays_open_for_the_reader(
    loop: Loop, readers: DiskThreads, segment: FileSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    states: list[bool] = []

    def pread(fd: int, length: int, offset: int) -> bytes:
        may_go_on.wait(PATIENCE_S)
        states.append(segment.file.is_closed)
        return b""

    monkeypatch.setattr(module.os, "pread", pread)
    done: list[int] = []
    readers.bring(segment, lambda: done.append(1))
    segment.close()
    may_go_on.set()
    loop.until(lambda: done)
    assert states == [False]
    assert segment.file.is_closed


def test_a_disk_that_fails_is_told_of_as_well(
    loop: Loop, readers: DiskThreads, segment: FileSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pread(fd: int, length: int, offset: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.os, "pread", pread)
    done: list[int] = []
    for _ in range(3):
        readers.bring(segment, lambda: done.append(1))
    loop.until(lambda: len(done) == 3)


def test_a_slow_disk_gets_a_few_threads_and_no_more(
    loop: Loop, readers: DiskThreads, segment: FileSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()

    def pread(fd: int, length: int, offset: int) -> bytes:
        may_go_on.wait(PATIENCE_S)
        return b""

    monkeypatch.setattr(module.os, "pread", pread)
    done: list[int] = []
    for _ in range(3 * MAX_THREADS):
        readers.bring(segment, lambda: done.append(1))
    assert len(readers._threads) == MAX_THREADS
    may_go_on.set()
    loop.until(lambda: len(done) == 3 * MAX_THREADS)
    readers.bring(segment, lambda: done.append(1))
    loop.until(lambda: len(done) == 3 * MAX_THREADS + 1)
    assert len(readers._threads) == MAX_THREADS
