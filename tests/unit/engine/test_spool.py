from __future__ import annotations

import errno
import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine import spool as module
from skitaid.engine.body import START_BYTES
from skitaid.engine.disk import DiskThreads
from skitaid.engine.errors import BodyError
from skitaid.engine.portal import Portal
from skitaid.engine.selector import EngineSelector
from skitaid.engine.spool import Spool, SpoolFile, SpoolSettings
from skitaid.engine.spooled_body import SpooledBody
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ProtocolError

pytestmark = pytest.mark.time_limit(60)

PATIENCE_S = 20.0
MEGABYTE = 1 << 20


def open_fds() -> set[str]:
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = open_fds()
    yield
    assert len(open_fds()) <= len(before)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "var" / "bodies")


# ---------------------------------------------------------------- files


@pytest.fixture
def file(folder: str) -> Iterator[SpoolFile]:
    file = SpoolFile(folder)
    yield file
    file.close()


def test_what_was_written_is_read(file: SpoolFile) -> None:
    file.write([b"one\n", b"two\n"])
    file.write([b"three"])
    assert file.size == 13
    assert file.reader().read() == b"one\ntwo\nthree"
    assert list(file.reader()) == [b"one\n", b"two\n", b"three"]


def test_the_file_has_no_name(file: SpoolFile, folder: str) -> None:
    file.write([b"secret"])
    assert os.listdir(folder) == []


def test_where_files_without_a_name_are_unknown(file: SpoolFile, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module.os, "O_TMPFILE", raising=False)
    file.write([b"secret"])
    assert os.listdir(folder) == []
    assert file.reader().read() == b"secret"


def test_readers_do_not_disturb_each_other_and_may_seek(file: SpoolFile) -> None:
    file.write([b"0123456789"])
    one, two = file.reader(), file.reader()
    assert one.read(4) == b"0123"
    assert two.read(2) == b"01"
    assert one.seek(-2, os.SEEK_END) == 8
    assert one.read() == b"89"
    assert two.seek(1, os.SEEK_CUR) == 3
    assert two.read(3) == b"345"
    assert two.tell() == 6


def test_a_closed_file_can_not_be_read(file: SpoolFile) -> None:
    """Its descriptor's number may be another file's by then."""
    file.write([b"x" * 200_000])
    reader = file.reader()
    assert reader.read(1) == b"x"
    file.close()
    file.close()
    with pytest.raises(ValueError, match="the request is over"):
        reader.read()


def test_a_file_closed_before_it_is_written(file: SpoolFile) -> None:
    file.close()
    file.write([b"too late"])
    assert file.size == 0


def test_a_file_closed_while_it_is_written_keeps_its_descriptor_until_then(
    file: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def pwrite(fd: int, data: Any, offset: int) -> int:
        file.close()
        return real(fd, data[:3], offset)

    monkeypatch.setattr(module.os, "pwrite", pwrite)
    file.write([b"abcdef"])
    assert file.size == 6


def test_a_disk_that_is_nearly_full_is_left_to_others(file: SpoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write([b"fits"])

    class Disk:
        f_frsize, f_blocks, f_bavail = 4096, 1000, 51

    monkeypatch.setattr(module.os, "fstatvfs", lambda fd: Disk)
    file.write([b"x" * 4096])
    with pytest.raises(OSError, match="nearly full") as caught:
        file.write([b"x" * 4097])
    assert caught.value.errno == errno.ENOSPC


def test_forgotten_files_close_themselves(folder: str) -> None:
    before = len(open_fds())
    SpoolFile(folder).write([b"x"])
    assert len(open_fds()) == before


# ---------------------------------------------------------------- bodies


class Rig:
    """A loop with disk threads, turned by hand, and what a body asks of its connection."""

    def __init__(self, folder: str, limit: int) -> None:
        self.selector = EngineSelector()
        self.portal = Portal(self.selector)
        self.disk = DiskThreads(self.portal)
        self.spool = Spool(SpoolSettings(folder, limit), self.disk)
        self.troubles: list[str] = []
        self.spool.on_trouble = self.troubles.append
        self.ready = 0
        self.is_reading = True
        self.failures: list[ProtocolError] = []
        self.bodies: list[SpooledBody] = []

    def body(self, *, limit: int | None = None, is_whole: bool = False, is_large: bool = True) -> SpooledBody:
        body = SpooledBody(self._on_ready, self._set_reading, self.spool, limit=limit, is_whole=is_whole)
        body.on_failure = self.failures.append
        body.is_large = is_large
        self.bodies.append(body)
        return body

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(int(PATIENCE_S * 100)):
            if condition():
                return
            self.selector.select(0.01)
        raise AssertionError(f"did not happen within {PATIENCE_S:g} s")

    def feed(self, body: SpooledBody, data: bytes, step: int = 65536) -> int:
        """As a connection does: nothing while it is paused. Until an app is to read; how much was fed."""
        for at in range(0, len(data), step):
            self.until(lambda: self.is_reading or self.ready)
            if self.ready:
                return at
            body.feed(data[at : at + step])
        return len(data)

    def close(self) -> None:
        for body in self.bodies:
            body.close()
        self.disk.close()
        for thread in self.disk._threads:
            thread.join(PATIENCE_S)
        self.portal.close()
        self.selector.close()

    def _on_ready(self) -> None:
        self.ready += 1

    def _set_reading(self, is_on: bool) -> None:
        self.is_reading = is_on


@pytest.fixture
def rig(folder: str) -> Iterator[Rig]:
    rig = Rig(folder, 4 * MEGABYTE)
    yield rig
    rig.close()


DATA = b"".join(b"%07d\n" % number for number in range(MEGABYTE // 8))


def test_the_app_begins_when_all_is_on_disk(rig: Rig) -> None:
    body = rig.body()
    rig.feed(body, DATA)
    rig.until(lambda: not body._is_writing)
    assert rig.ready == 0
    assert sum(map(len, body._pieces)) < 65536
    body.end()
    rig.until(lambda: rig.ready)
    assert not body._pieces
    assert body.file().read() == DATA
    assert body.received == len(DATA)


def test_a_body_of_unknown_length_that_turns_out_small_never_sees_the_disk(rig: Rig) -> None:
    body = rig.body(is_large=False)
    rig.feed(body, DATA[: START_BYTES - 1])
    body.end()
    assert rig.ready == 1
    assert body._file is None
    assert body.file().read() == DATA[: START_BYTES - 1]


def test_a_body_of_unknown_length_goes_there_when_it_is_large(rig: Rig) -> None:
    body = rig.body(is_large=False)
    rig.feed(body, DATA[:START_BYTES])
    body.end()
    assert rig.ready == 0
    rig.until(lambda: rig.ready)
    assert body.file().read() == DATA[:START_BYTES]


def test_a_disk_slower_than_the_client_pauses_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    real = os.pwrite

    def pwrite(fd: int, data: Any, offset: int) -> int:
        assert go_on.wait(PATIENCE_S)
        return real(fd, data, offset)

    monkeypatch.setattr(module.os, "pwrite", pwrite)
    body = rig.body()
    fed = 0
    while rig.is_reading:
        assert fed < 10
        body.feed(DATA[:65536])
        fed += 1
    go_on.set()
    rig.until(lambda: rig.is_reading)
    body.end()
    rig.until(lambda: rig.ready)
    assert body.file().read() == DATA[:65536] * fed


def test_a_body_that_outgrows_the_spool_is_read_as_it_comes(rig: Rig) -> None:
    body, data = rig.body(is_large=False), DATA * 8
    fed = rig.feed(body, data)
    assert 4 * MEGABYTE < fed < 6 * MEGABYTE
    assert body.file() is body
    read = bytearray()
    reader = threading.Thread(target=lambda: read.extend(body.read()))
    reader.start()
    for at in range(fed, len(data), 65536):
        rig.until(lambda: rig.is_reading)
        body.feed(data[at : at + 65536])
    body.end()
    reader.join(PATIENCE_S)
    assert bytes(read) == data


def test_where_the_app_must_have_all_of_it_there_is_no_limit(rig: Rig) -> None:
    body = rig.body(is_whole=True)
    rig.feed(body, DATA * 6)
    rig.until(lambda: not body._is_writing)
    assert rig.ready == 0
    body.end()
    rig.until(lambda: rig.ready)
    assert body.file().read() == DATA * 6


def test_reading_by_lines_across_file_and_memory(rig: Rig) -> None:
    body, data = rig.body(is_large=False), DATA * 8
    fed = rig.feed(body, data, step=10_007)
    body.feed(data[fed : fed + 1000])
    body.feed(b"the\nend")
    body.end()
    expected = data[: fed + 1000] + b"the\nend"
    assert list(body) == expected.splitlines(keepends=True)


def test_a_full_disk_refuses_the_body_and_tells_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def pwrite(fd: int, data: Any, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "pwrite", pwrite)
    for count in (1, 2):
        rig.body().feed(DATA)
        rig.until(lambda count=count: len(rig.failures) == count)
    assert [error.status for error in rig.failures] == [507, 507]
    assert len(rig.troubles) == 1
    assert "No space left on device" in rig.troubles[0]
    assert rig.spool.settings.folder in rig.troubles[0]
    assert rig.ready == 0


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    rig = Rig(str(tmp_path / "var" / "bodies"), MEGABYTE)
    rig.body().feed(DATA)
    rig.until(lambda: rig.failures)
    assert rig.failures[0].status == 507
    assert "Not a directory" in rig.troubles[0]
    rig.close()


def test_above_the_limit_of_its_kind(rig: Rig) -> None:
    body = rig.body(limit=300_000)
    body.feed(DATA[:200_000])
    with pytest.raises(ProtocolError, match="300000") as caught:
        body.feed(DATA[:200_000])
    assert caught.value.status == 413


@pytest.mark.parametrize("is_early", [True, False])
def test_a_client_that_goes_away(rig: Rig, is_early: bool) -> None:
    body = rig.body()
    rig.feed(body, DATA)
    if not is_early:
        rig.until(lambda: not body._is_writing)
    body.fail(PeerError("gone"))
    body.close()
    rig.until(lambda: not body._is_writing)
    assert (rig.ready, rig.failures) == (0, [])
    with pytest.raises((ValueError, BodyError)):
        body.read()


@pytest.mark.parametrize(
    ("limit", "length", "is_whole", "expected"),
    [
        (10, 10, False, True), (10, 11, False, False), (10, None, False, True), (0, 10, False, False),
        (0, None, True, False), (10, 11, True, True),
    ],
)  # fmt: skip
def test_what_it_takes(folder: str, limit: int, length: int | None, is_whole: bool, expected: bool) -> None:
    rig = Rig(folder, limit)
    assert rig.spool.takes(length, is_whole=is_whole) is expected
    rig.close()
