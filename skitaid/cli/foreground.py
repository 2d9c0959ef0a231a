"""A master run for a person at a terminal: started, told to reload, stopped, without a supervisor."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.report import Report, ReportReader
from skitaid.supervisor.scoreboard import Scoreboard
from skitaid.supervisor.spawn import Command, Pipes, spawn

GRACE_S = 3.0
"""For what is in flight: whoever types Ctrl-C waits for it."""
FAST_GRACE_S = 5.0
POLL_S = 0.05


class ForegroundMaster:
    """One master in a session of its own: Ctrl-C reaches us, and we stop it in order. Should we be killed, the
    lifeline tells it to go. Its output goes to our standard error."""

    def __init__(self, command: Command, environ: Mapping[str, str]) -> None:
        """Start it. Raises SpawnError."""
        self._lifeline = Lifeline.create()
        self._reports, report_end = os.pipe()
        self._reader = ReportReader()
        scoreboard = Scoreboard.create()
        try:
            pipes = Pipes(self._lifeline.read_fd, report_end, scoreboard.fd, stderr=2)
            self.pid = spawn(command, pipes, environ)
        finally:
            os.close(report_end)
            scoreboard.close()
        self._status: int | None = None

    def wait_report(self, timeout_s: float) -> list[Report]:
        """What the master reported, waiting for it at most `timeout_s`."""
        poller = select.poll()
        poller.register(self._reports, select.POLLIN)
        if not poller.poll(int(timeout_s * 1000)):
            return []
        data = os.read(self._reports, 65536)
        if not data:  # it closed its end: about to be gone
            self._wait_end(timeout_s)
        return self._reader.feed(data)

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def reload(self) -> None:
        self._send(signal.SIGHUP)

    def stop(self) -> None:
        """Gracefully, then at once, then by force; returns when it is gone, with all that its apps started. An
        impatient KeyboardInterrupt goes one step on."""
        for number, grace_s in ((signal.SIGQUIT, GRACE_S), (signal.SIGTERM, FAST_GRACE_S)):
            with suppress(KeyboardInterrupt):
                self._send(number)
                if self._wait_end(grace_s):
                    break
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._wait_end(FAST_GRACE_S)

    def _send(self, number: signal.Signals) -> None:
        if self.exit_code() is None:
            os.kill(self.pid, number)

    def _wait_end(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.exit_code() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.exit_code() is not None
