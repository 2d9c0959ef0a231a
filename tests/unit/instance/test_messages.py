from __future__ import annotations

import os

import pytest

from skitaid.instance.messages import (
    Kind,
    MessageReader,
    WorkerMessage,
    say_ready,
    say_reload,
    say_restart,
    say_shutdown,
)


def test_what_is_said_is_heard() -> None:
    read_fd, write_fd = os.pipe()
    say_ready(write_fd, ["/ (a.conf:3): broken\nin two lines"], {"/a.py"})
    say_reload(write_fd)
    say_restart(write_fd)
    say_shutdown(write_fd)
    say_ready(write_fd)
    data = os.read(read_fd, 65536)
    os.close(read_fd)
    os.close(write_fd)
    assert MessageReader().feed(data) == [
        WorkerMessage(Kind.READY, ("/ (a.conf:3): broken\nin two lines",), ("/a.py",)),
        WorkerMessage(Kind.RELOAD),
        WorkerMessage(Kind.RESTART),
        WorkerMessage(Kind.SHUTDOWN),
        WorkerMessage(Kind.READY),
    ]


def test_in_pieces() -> None:
    reader = MessageReader()
    heard = [reader.feed(bytes([byte])) for byte in b'{"kind": "reload"}\n']
    assert heard[:-1] == [[]] * (len(heard) - 1)
    assert heard[-1] == [WorkerMessage(Kind.RELOAD)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"3",
        b"null",
        b'{"kind": "unheard of"}',
        b'{"kind": []}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_dropped(line: bytes) -> None:
    assert MessageReader().feed(line + b'\n{"kind": "reload"}\n') == [WorkerMessage(Kind.RELOAD)]


@pytest.mark.parametrize("failed", ["3", '"abc"', "null", "{}"])
def test_a_list_that_is_none_is_empty(failed: str) -> None:
    line = f'{{"kind": "ready", "failed": {failed}}}\n'
    assert MessageReader().feed(line.encode()) == [WorkerMessage(Kind.READY)]


def test_a_master_that_is_gone_is_no_error() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    say_ready(write_fd)
    os.close(write_fd)
