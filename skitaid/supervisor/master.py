"""A process that was started for a unit: its pid, and our ends of what connects it with us."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from skitaid.supervisor.loop import Loop
from skitaid.supervisor.orphans import signal_group
from skitaid.supervisor.report import Report, ReportReader
from skitaid.supervisor.scoreboard import Scoreboard, SlotView
from skitaid.supervisor.spawn import Command, Pipes, spawn
from skitaid.supervisor.succession import Word, say

__all__ = ["Heard", "Master"]


class Master:
    """A master or an agent, as its parent holds it. `heard` is called with each report. Each has a scoreboard of its
    own: workers of one on its way out may still write to theirs. `can_follow`: it has a channel, so that another may
    take its place while it serves."""

    def __init__(self, command: Command, loop: Loop, heard: Heard, *, can_follow: bool) -> None:
        self.pid = 0
        self.python = command.python
        self.failure = ""
        """Why it cannot start, in its own words."""
        self.is_gone = False
        """It was reaped: its number may be somebody else's."""
        self._command = command
        self._loop = loop
        self._heard = heard
        self._can_follow = can_follow
        self._board: Scoreboard | None = None
        self._channel: socket.socket | None = None
        self._report_fd: int | None = None
        self._reader = ReportReader()

    def start(self, lifeline: int, stderr: int, predecessor: Master | None = None) -> None:
        """Execute it. `predecessor`: whose addresses it takes over. Raises SpawnError, OSError; `close` it then."""
        board = self._board = Scoreboard.create()
        theirs = self._open_channel()
        read_fd, write_fd = os.pipe()
        self._report_fd = read_fd
        os.set_blocking(read_fd, False)
        before = None if predecessor is None else predecessor._channel
        try:
            self.pid = spawn(self._command, Pipes(lifeline, write_fd, board.fd, stderr, _fd(theirs), _fd(before)))
        finally:
            os.close(write_fd)
            if theirs is not None:
                theirs.close()
        self._loop.watch(read_fd, lambda events: self.read_reports())

    @property
    def workers(self) -> list[SlotView]:
        """As they wrote it down last."""
        return self._board.read_all() if self._board is not None else []

    @property
    def workers_replaced(self) -> int:
        """Because they died or were stuck."""
        return self._board.replaced if self._board is not None else 0

    def signal(self, number: int, *, group: bool = False) -> None:
        """`group`: to all that it started, too."""
        if self.is_gone:
            return
        if group:
            signal_group(self.pid, number)
        else:
            os.kill(self.pid, number)

    def tell(self, word: Word) -> None:
        if self._channel is not None:
            say(self._channel, word)

    def read_reports(self) -> None:
        """Hand on what it has reported since the last call. Never waits."""
        while self._report_fd is not None:
            try:
                data = os.read(self._report_fd, 65536)
            except BlockingIOError:
                return
            if not data:
                self._close_reports()
            for report in self._reader.feed(data):
                self._heard(self, report)

    def close(self) -> None:
        """It is gone. What it had reported by then was read."""
        self._close_reports()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._board is not None:
            self._board.close()
            self._board = None

    def _open_channel(self) -> socket.socket | None:
        if not self._can_follow:
            return None
        self._channel, theirs = socket.socketpair()
        return theirs

    def _close_reports(self) -> None:
        if self._report_fd is not None:
            self._loop.forget(self._report_fd)
            os.close(self._report_fd)
            self._report_fd = None


def _fd(channel: socket.socket | None) -> int | None:
    return None if channel is None else channel.fileno()


Heard = Callable[[Master, Report], None]
