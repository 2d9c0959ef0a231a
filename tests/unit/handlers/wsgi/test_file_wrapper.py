from __future__ import annotations

import gzip
import io
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.file_segment import FileSegment
from skitaid.handlers.wsgi.file_wrapper import FileWrapper, segment_of

DATA = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def sent(segment: FileSegment | None) -> bytes:
    """What a client gets of a segment, which is closed then."""
    assert segment is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        received = b""
        while len(segment):
            segment.send(theirs)
            received += ours.recv(1 << 20)
    segment.close()
    return received


def test_a_file_is_sent_from_where_it_stands(path: Path) -> None:
    with path.open("rb") as file:
        assert file.read(5) == DATA[:5]
        segment = segment_of(FileWrapper(file), None)
    # The app's file is closed by now.
    assert sent(segment) == DATA[5:]


def test_an_unbuffered_file(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        assert sent(segment_of(FileWrapper(file), None)) == DATA


def test_no_more_than_was_promised(path: Path) -> None:
    with path.open("rb") as file:
        assert sent(segment_of(FileWrapper(file), 7)) == DATA[:7]


def test_what_was_written_and_not_flushed_is_sent_too(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b"more")
        file.seek(0)
        assert sent(segment_of(FileWrapper(file), None)) == DATA + b"more"


@pytest.mark.parametrize("make", [tempfile.TemporaryFile, tempfile.NamedTemporaryFile])
def test_temporary_files(make: Any) -> None:
    with make() as file:
        file.write(DATA)
        file.seek(3)
        assert sent(segment_of(FileWrapper(file), None)) == DATA[3:]


def test_the_app_may_go_on_reading(path: Path) -> None:
    """A response that turns out to be compressed is read after all."""
    with path.open("rb") as file:
        assert len(sent(segment_of(FileWrapper(file), None))) == len(DATA)
        assert b"".join(FileWrapper(file)) == DATA


@pytest.mark.parametrize("length", [len(DATA) + 1, 1 << 40])
def test_a_file_shorter_than_promised_is_read(path: Path, length: int) -> None:
    with path.open("rb") as file:
        assert segment_of(FileWrapper(file), length) is None


def test_what_is_no_file_of_the_disk_is_read(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "file.gz"
    packed.write_bytes(gzip.compress(DATA))
    read_end, write_end = os.pipe()
    with (
        gzip.open(packed) as unpacked,
        io.BytesIO(DATA) as memory,
        path.open() as lines,
        os.fdopen(read_end, "rb") as pipe,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        os.close(write_end)
        for file in (unpacked, memory, lines, pipe, spooled, object()):
            assert segment_of(FileWrapper(file), None) is None


def test_a_closed_file_and_an_empty_one(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        assert segment_of(FileWrapper(file), None) is None
    assert segment_of(FileWrapper(file), None) is None


def test_no_descriptor_to_be_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dup(fd: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "dup", dup)
    with path.open("rb") as file:
        assert segment_of(FileWrapper(file), None) is None
