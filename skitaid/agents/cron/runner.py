"""Runs one job to its end, in a process of its own: the agent may be killed, the job and its log go on.

The runner is forked by the agent, so it costs what differs from it, some 4 MB as long as the job runs;
`skitaid.py -f cron run JOB` is one in the foreground.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from signal import SIG_IGN, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals, getsignal, strsignal
from typing import Final

from skitaid.agents.chance import chance
from skitaid.agents.cron import tree
from skitaid.agents.cron.launch import launch
from skitaid.agents.cron.machines import ClaimError, claim
from skitaid.agents.cron.output import Output
from skitaid.agents.cron.records import Last, Records
from skitaid.agents.cron.work import Work
from skitaid.exceptions import SkitaidError
from skitaid.logs.lines import LogFile
from skitaid.supervisor.loop import SignalPipe

__all__ = ["KILL_AFTER_S", "NOT_RUN", "Occasion", "Result", "Runner", "Surroundings", "describe"]

KILL_AFTER_S: Final = 3.0
"""From SIGTERM to SIGKILL."""
KILL_EVERY_S: Final = 0.2
GIVE_UP_AFTER_S: Final = 10.0
"""Nothing outlives SIGKILL that long but what the kernel itself holds up."""
LOOK_EVERY_S: Final = 1.0
READ_BYTES: Final = 65536
NOT_RUN: Final = -256
"""As an exit code: another machine runs it, or it was told to stop before it began."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What runners share. `backend`: of [state]. `show`: who is told each line beside the log. `send_mail` is told
    what became of a job that has MAILTO."""

    records: Records
    log: LogFile
    backend: str = "local"
    show: Callable[[str], None] | None = None
    send_mail: Callable[[Work, Result], str] | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why it runs: `at` is the time it was to run, None: somebody asked for it now, so it neither waits nor asks other
    machines."""

    at: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended. `code`: exit code, or minus the number of a signal. `reason`: why it was ended, "" if by itself.
    `output`: its beginning."""

    code: int
    elapsed_s: float
    reason: str = ""
    output: str = ""

    @property
    def is_well(self) -> bool:
        return self.code == 0 and not self.reason


class Runner:
    """Runs one job to its end. `run` once. The signals TERM, INT and HUP (a terminal was closed; not under nohup) end
    the job with all that it started."""

    def __init__(self, work: Work, surroundings: Surroundings) -> None:
        self._work = work
        self._around = surroundings
        self._show = surroundings.show
        self._signals = SignalPipe((*_enders(), SIGCHLD))
        self._poll = select.poll()
        self._poll.register(self._signals.fd, select.POLLIN)
        self._output = Output(keep=bool(work.job.mail_to))
        self._pid = 0
        self._out_fd: int | None = None
        self._code: int | None = None
        self._reason = ""
        self._end_at = float("inf")
        self._kill_at = float("inf")
        self._give_up_at = float("inf")
        self._look_at = 0.0

    def run(self, occasion: Occasion) -> Result:
        """Wait, ask, execute, write down. Never raises for what the job does."""
        before = self._around.records.last(self._work.key)
        started = time.time()
        self._note(Last(os.getpid(), started))
        if occasion.at is not None and not self._may_begin(occasion.at):
            self._note(before)
            return Result(NOT_RUN, 0.0)
        began, started = time.monotonic(), time.time()
        self._say("info", f"starts: {self._work.job.command}")
        self._execute(started)
        result = Result(
            self._code if self._code is not None else -SIGKILL,
            time.monotonic() - began,
            self._reason,
            self._output.kept,
        )
        self._note(Last(os.getpid(), started, time.time(), result.code))
        self._say("info" if result.is_well else "error", describe(result))
        self._mail(result)
        return result

    # ------------------------------------------------------------ before

    def _may_begin(self, at: float) -> bool:
        job = self._work.job
        if job.jitter_s and not self._pause(job.jitter_s * chance()):
            self._say("warn", "told to stop before it began")
            return False
        if not job.on_one_machine or job.expression is None:
            return True  # each machine starts by itself, and has its own @reboot
        if not self._around.backend.startswith("redis"):
            self._say("warn", "ONE_MACHINE without Redis: set [state] backend = redis://..., now each machine runs it")
            return True
        return self._is_ours(at)

    def _is_ours(self, at: float) -> bool:
        try:
            is_ours = claim(self._around.backend, self._work.key, at)
        except ClaimError as error:
            self._say("error", f"not run, as another machine may run it: {error}")
            return False
        if not is_ours:
            self._say("info", "another machine runs it")
        return is_ours

    def _pause(self, delay_s: float) -> bool:
        """False: told to stop meanwhile."""
        until = time.monotonic() + delay_s
        while (left_s := until - time.monotonic()) > 0:
            if self._poll.poll(left_s * 1000) and {SIGTERM, SIGINT, SIGHUP} & set(self._signals.read()):
                return False
        return True

    # ------------------------------------------------------------ meanwhile

    def _execute(self, started: float) -> None:
        tree.adopt_orphans()
        try:
            self._pid, self._out_fd = launch(self._work)
        except OSError as error:
            self._code, self._reason = 1, f"cannot be started: {error}"
            return
        self._note(Last(os.getpid(), started, group=self._pid))
        self._poll.register(self._out_fd, select.POLLIN)
        timeout_s = self._work.job.timeout_s
        self._end_at = time.monotonic() + timeout_s if timeout_s else float("inf")
        while not self._is_over():
            self._turn()
        self._print(self._output.finish())
        if self._output.dropped_bytes:
            self._say("warn", f"{self._output.dropped_bytes} more bytes of output were dropped")

    def _is_over(self) -> bool:
        """Its command has ended, and nobody is left who could print; if it is being ended, nobody at all. Or nothing
        helps."""
        if self._code is not None and self._out_fd is None and not (self._reason and tree.is_any_left()):
            return True
        return time.monotonic() >= self._give_up_at

    def _turn(self) -> None:
        due = min(self._end_at, self._kill_at, self._give_up_at)
        wait_s = min(max(0.0, due - time.monotonic()), 3600.0)
        for fd, _ in self._poll.poll(wait_s * 1000 + 1):
            if fd == self._signals.fd:
                self._signalled()
            else:
                self._read()
        now = time.monotonic()
        if now >= self._end_at:
            self._end("ended by its time limit (TIMEOUT)", now)
        if now >= self._kill_at:
            self._kill_at = now + KILL_EVERY_S
            tree.signal_tree(self._pid, SIGKILL)

    def _signalled(self) -> None:
        for number in self._signals.read():
            if number is SIGCHLD:
                self._reap()
            else:
                self._end("ended on request", time.monotonic())

    def _end(self, reason: str, now: float) -> None:
        """Begin to end all of it; a second request is not patient."""
        self._end_at = float("inf")
        is_again = bool(self._reason)
        self._reason = self._reason or reason
        tree.signal_tree(self._pid, SIGTERM)
        self._kill_at = now if is_again else now + KILL_AFTER_S
        self._give_up_at = min(self._give_up_at, now + GIVE_UP_AFTER_S)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._pid:
                    self._code = os.waitstatus_to_exitcode(status)

    def _read(self) -> None:
        assert self._out_fd is not None
        try:
            data = os.read(self._out_fd, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._print(self._output.feed(data))
            return
        self._poll.unregister(self._out_fd)
        os.close(self._out_fd)
        self._out_fd = None
        self._reap()

    # ------------------------------------------------------------ telling

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self._say("out", line)
            if self._show is not None:
                try:
                    self._show(line)
                except OSError:
                    self._show = None  # whoever looked on has gone; the job goes on

    def _say(self, kind: str, text: str) -> None:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            self._around.log.reopen_if_moved()
        self._around.log.write(kind, text, self._work.key)

    def _note(self, last: Last | None) -> None:
        try:
            self._around.records.note_last(self._work.key, last)
        except OSError as error:
            self._say("warn", f"cannot write down that it runs: {error}")

    def _mail(self, result: Result) -> None:
        is_wanted = self._work.job.mail_to and (result.output or not result.is_well)
        if is_wanted and self._around.send_mail is not None:
            try:
                mail_id = self._around.send_mail(self._work, result)
            except (SkitaidError, OSError) as error:
                self._say("error", f"its output cannot be mailed: {error}")
            else:
                self._say("info", f"mail {mail_id} to {', '.join(self._work.job.mail_to)} is queued")


def _enders() -> tuple[Signals, ...]:
    return (SIGTERM, SIGINT) if getsignal(SIGHUP) is SIG_IGN else (SIGTERM, SIGINT, SIGHUP)


def describe(result: Result) -> str:
    """How a job ended, in words."""
    how = (
        f"exit code {result.code}"
        if result.code >= 0
        else f"killed by signal {-result.code} ({strsignal(-result.code) or 'unknown'})"
    )
    if result.is_well:
        return f"ended after {result.elapsed_s:.1f} s"
    why = f"{result.reason}, " if result.reason else "failed: "
    return f"{why}{how} after {result.elapsed_s:.1f} s"
