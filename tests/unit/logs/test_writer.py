from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skitaid.logs.lines import LogFile
from skitaid.logs.writer import SLICE, RequestLogWriter


def line(number: int) -> str:
    return f"request {number}\n"


def numbers(path: Path) -> list[int]:
    return [int(text.split()[1]) for text in path.read_text().splitlines()]


def until(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within a time that also suits a busy machine."""
    end = time.monotonic() + 20
    turn = threading.Event()
    while not condition():
        if time.monotonic() > end:
            return False
        turn.wait(0.01)
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "request.log"


@pytest.fixture
def writer(path: Path) -> Iterator[RequestLogWriter]:
    made = RequestLogWriter(LogFile(path))
    yield made
    made.close()


def test_lines_are_written_by_themselves_in_order(writer: RequestLogWriter, path: Path) -> None:
    for number in range(3 * SLICE + 7):
        writer.append(line(number))
    assert until(lambda: path.read_text().count("\n") == 3 * SLICE + 7)
    assert numbers(path) == list(range(3 * SLICE + 7))


def test_close_writes_what_is_left(writer: RequestLogWriter, path: Path) -> None:
    for number in range(5 * SLICE):
        writer.append(line(number))
    writer.close()
    assert numbers(path) == list(range(5 * SLICE))


def test_flush_from_another_thread_loses_and_doubles_nothing(writer: RequestLogWriter, path: Path) -> None:
    for number in range(4 * SLICE):
        writer.append(line(number))
        if number % 500 == 0:
            writer.flush()
    writer.flush()
    assert numbers(path) == list(range(4 * SLICE))


def test_append_from_many_threads(writer: RequestLogWriter, path: Path) -> None:
    threads = [threading.Thread(target=lambda: [writer.append(line(n)) for n in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert sorted(numbers(path)) == sorted(list(range(500)) * 4)


def test_beyond_the_limit_is_dropped_counted_and_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = RequestLogWriter(LogFile(path), limit=10)
    writer.close()  # nobody takes anything off now
    for number in range(25):
        writer.append(line(number))
    assert writer.dropped == 15
    writer.flush()
    assert numbers(path) == list(range(10))
    assert "15 requests were not logged" in capsys.readouterr().err


def test_moved_file_is_noticed(writer: RequestLogWriter, path: Path) -> None:
    path.rename(path.with_name("request.log.1"))
    assert until(path.exists)
    writer.append(line(1))
    writer.flush()
    assert numbers(path) == [1]


def test_reopen_on_demand(writer: RequestLogWriter, path: Path) -> None:
    path.rename(path.with_name("request.log.1"))
    writer.reopen()
    assert until(path.exists)


def test_what_is_no_line_does_not_end_the_thread(
    writer: RequestLogWriter, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer.append(b"1")  # type: ignore[arg-type]
    assert until(lambda: not writer._lines)
    writer.append(line(1))
    assert until(lambda: path.read_text() != "")
    assert "Traceback" in capsys.readouterr().err


def test_what_is_not_ascii_is_escaped(path: Path) -> None:
    writer = RequestLogWriter(LogFile(path))
    writer.append("\xe9 \u20ac\n")
    writer.close()
    assert path.read_bytes() == b"\\xe9 \\u20ac\n"


def test_disk_full_and_serving_goes_on(tmp_path: Path) -> None:
    full = tmp_path / "request.log"
    full.symlink_to("/dev/full")
    log = LogFile(full)
    writer = RequestLogWriter(log)
    for number in range(2 * SLICE):
        writer.append(line(number))
    writer.close()
    assert log.lost_lines == 2 * SLICE


def test_writing_is_cheap(path: Path) -> None:
    """A guard against a slip of an order of magnitude."""
    writer = RequestLogWriter(LogFile(path))
    writer.close()
    for number in range(5000):
        writer.append(line(number))
    begun = time.thread_time()
    writer.flush()
    assert (time.thread_time() - begun) / 5000 < 10e-6
