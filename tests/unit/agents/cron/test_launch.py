"""Executing a command: what it is begun with."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.agents.cron.launch import launch
from skitaid.agents.cron.work import Work
from skitaid.config.crontab import CronJob
from skitaid.supervisor.loop import SignalPipe


@pytest.fixture
def signals() -> Iterator[SignalPipe]:
    found = SignalPipe((signal.SIGTERM,))
    yield found
    found.abandon()


def work(command: str) -> Work:
    return Work(CronJob("job", "@daily", command, None), directory=Path("/"))


def printed(command: str) -> str:
    pid, fd = launch(work(command))
    os.set_blocking(fd, True)
    with os.fdopen(fd) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def test_a_signal_that_comes_at_once_is_the_job_s(signals: SignalPipe) -> None:
    for _ in range(20):
        pid, fd = launch(work("exec sleep 60"))
        os.kill(pid, signal.SIGTERM)
        os.close(fd)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert ended == -signal.SIGTERM
    assert signals.read() == []


def test_signals_are_as_the_system_has_them(signals: SignalPipe) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        found = dict(line.split() for line in printed("grep -E 'Sig(Blk|Ign)' /proc/self/status").splitlines())
    finally:
        signal.signal(signal.SIGHUP, before)
    named = (1 << 31) - 1  # the C library keeps 32 and 33 for itself
    assert {name: int(mask, 16) & named for name, mask in found.items()} == {"SigBlk:": 0, "SigIgn:": 0}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_no_descriptor_of_the_daemon_is_passed_on() -> None:
    read_fd, write_fd = os.pipe()
    os.set_inheritable(write_fd, True)
    try:
        assert printed("ls /proc/$$/fd").split() == ["0", "1", "2"]
    finally:
        os.close(read_fd)
        os.close(write_fd)
