"""One instance (or agent, see `agents`) as the supervisor holds it: its conf, its master's state, its pipes and its
figures.

`process.step` decides; a unit performs: it starts and signals the master and writes down what happened.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGUSR1, Signals
from typing import ClassVar

from skitaid.config.model import Instance, Main
from skitaid.exceptions import Problem
from skitaid.supervisor import process as events
from skitaid.supervisor.journal import Journal
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.process import Process
from skitaid.supervisor.rates import RateWindow
from skitaid.supervisor.remains import Remains, signal_group
from skitaid.supervisor.report import Event, Report, ReportReader
from skitaid.supervisor.scoreboard import Scoreboard, SlotView
from skitaid.supervisor.spawn import Command, Pipes, SpawnError, interpreter, spawn
from skitaid.supervisor.states import State

__all__ = ["Reload", "ReloadStatus", "Shared", "Unit"]

GRACE_BEYOND_RESPONSE_S = 5.0
GRACE_LEAST_S = 10.0
RELOAD_BEYOND_START_S = 10.0
ORPHANS_S = 3.0
"""Workers whose master was killed leave by themselves within 2.5 s; one that cannot (it was stopped) holds the address
that the next master waits for."""


@dataclass(slots=True)
class Shared:
    """What every unit needs of the supervisor. `main` changes when skitaid.conf is read again."""

    main: Main
    loop: Loop
    journal: Journal
    lifeline: Lifeline
    boot: Path
    verbose: bool = False


class ReloadStatus(Enum):
    NONE = "none"
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reload:
    """The last reload. `again`: asked once more while it was under way."""

    status: ReloadStatus = ReloadStatus.NONE
    reason: str = ""
    deadline: float = 0.0
    again: bool = False


class Unit:
    is_agent: ClassVar[bool] = False

    def __init__(self, name: str, shared: Shared) -> None:
        self.process = Process(name, since=time.monotonic())
        self.since = time.time()
        self.instance: Instance | None = None
        self.problems: tuple[Problem, ...] = ()
        self.addresses: tuple[str, ...] = ()
        self.note = ""
        """What it says about itself, for `status`."""
        self.counts: Mapping[str, int] = {}
        self.reload = Reload()
        self.rates = RateWindow()
        self.is_retired = False
        """Its conf file is gone: it is forgotten once it has stopped."""
        self._shared = shared
        self._remains = Remains()
        self._runs_under = ""
        self._board: Scoreboard | None = None
        self._report_fd: int | None = None
        self._reader = ReportReader()

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def state(self) -> State:
        return self.process.state

    # ------------------------------------------------------------ conf

    def adopt(self, instance: Instance) -> None:
        """Its conf file is right: the next start uses it."""
        self.instance = instance
        self.problems = ()
        server = instance.server
        grace_s = max(GRACE_LEAST_S, server.response_timeout_s + GRACE_BEYOND_RESPONSE_S)
        self.process = replace(self.process, limits=events.Limits(server.start_timeout_s, grace_s))

    def reject(self, problems: tuple[Problem, ...]) -> None:
        """Its conf file is wrong: one that runs goes on, one that does not cannot start."""
        self.problems = problems
        self._shared.journal.problems(problems, self.name)
        if not self.process.is_at_rest:
            self._shared.journal.warn("its conf file is wrong, it goes on with the one it has", self.name)
        elif self.state in (State.FATAL, State.BACKOFF):
            self.break_off()

    def break_off(self) -> None:
        """It was to start, and its conf file is wrong."""
        errors = [problem for problem in self.problems if not problem.is_warning]
        count = f"{len(errors)} problems" if len(errors) > 1 else "a problem"
        self.happen(events.Broken(f"its conf file has {count}, first {errors[0]}" if errors else "its conf is wrong",
                                  "it starts when the file is corrected"))

    @property
    def workers(self) -> list[SlotView]:
        """As they wrote it down last; none without a master."""
        return self._board.read_all() if self._board is not None else []

    @property
    def workers_replaced(self) -> int:
        """By this master, because they died or were stuck."""
        return self._board.replaced if self._board is not None else 0

    @property
    def needs_new_master(self) -> bool:
        """It runs under another interpreter than its conf names now: no reload can change that."""
        return self.state is State.RUNNING and self._runs_under != self._python()

    # ------------------------------------------------------------ what happens to it

    def start(self, reason: str) -> None:
        """By the conf adopted last; a wrong one makes it FATAL."""
        if self.problems and self.process.is_at_rest:
            self.break_off()
        else:
            self.happen(events.Start(reason))

    def stop(self, reason: str, *, fast: bool = False, again: bool = False) -> None:
        self.happen(events.Stop(reason, fast=fast, again=again))

    def happen(self, event: events.Event) -> None:
        """Let `process.step` decide, write down a change of state, and perform."""
        before = self.process
        self.process, actions = events.step(before, event, time.monotonic())
        if (before.state, before.since) != (self.process.state, self.process.since):
            self.since = time.time()
            self._record(before)
        for action in actions:
            self._perform(action)

    def died(self, pid: int, code: int) -> None:
        """Its master was reaped. What is left of its group gets the time to leave by itself, or none."""
        self._read_reports()
        self._drop_report_pipe()
        now = time.monotonic()
        is_wanted_gone = self.state is not State.RUNNING
        self._remains.add(pid, now if is_wanted_gone else now + ORPHANS_S)
        if is_wanted_gone:
            self._remains.kill_all()
        self.rates.clear()
        self._drop_board()
        self.addresses, self.note, self.counts = (), "", {}
        if self.reload.status is ReloadStatus.PENDING:
            self.reload = Reload(ReloadStatus.FAILED, "the master ended")
        self.happen(events.Died(code))

    def tick(self, now: float) -> None:
        self._remains.tick(now)
        if self.state is State.RUNNING:
            self.rates.feed(now, self.workers)
        if self.reload.status is ReloadStatus.PENDING and now >= self.reload.deadline:
            self._reload_ended(Reload(ReloadStatus.FAILED, "no answer from the master; its server.log may say why"))
        self.happen(events.Tick())

    def begin_reload(self) -> None:
        """Ask the master, which must be RUNNING, for new workers; `reload` tells how it went."""
        if self.reload.status is ReloadStatus.PENDING:
            self.reload = Reload(ReloadStatus.PENDING, deadline=self.reload.deadline, again=True)
            return
        deadline = time.monotonic() + self.process.limits.start_timeout_s + RELOAD_BEYOND_START_S
        self.reload = Reload(ReloadStatus.PENDING, deadline=deadline)
        self._shared.journal.info("reloading", self.name)
        self._signal(SIGHUP)

    def rotate(self) -> bool:
        """False: no master that could be asked."""
        if self.state is not State.RUNNING:
            return False
        self._signal(SIGUSR1)
        return True

    def close(self) -> None:
        """It is at rest and will be forgotten."""
        self._remains.kill_all()
        self._drop_report_pipe()
        self._drop_board()

    # ------------------------------------------------------------ performing

    def _perform(self, action: events.Action) -> None:
        if isinstance(action, events.Spawn):
            self._spawn()
        else:
            self._signal(action.signal, group=action.group)

    def _spawn(self) -> None:
        self._remains.tick(time.monotonic())
        try:
            pid = self._exec()
        except SpawnError as error:
            self.happen(events.SpawnFailed(str(error), error.is_permanent))
        except OSError as error:
            self.happen(events.SpawnFailed(f"cannot start: {error}", is_permanent=False))
        else:
            self.happen(events.Spawned(pid))

    def _exec(self) -> int:
        self._drop_board()
        # A page of its own for each master: a worker of the last one, on its way out, may still write to the old.
        board = self._board = Scoreboard.create()
        stderr = self._open_stderr()
        read_fd, write_fd = os.pipe()
        try:
            pid = spawn(self._command(), Pipes(self._shared.lifeline.read_fd, write_fd, board.fd, stderr))
        except SpawnError:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
            os.close(stderr)
        os.set_blocking(read_fd, False)
        self._report_fd, self._reader = read_fd, ReportReader()
        self._shared.loop.watch(read_fd, lambda events: self._read_reports())
        return pid

    def _command(self) -> Command:
        main = self._shared.main
        environment = self.instance.environment if self.instance is not None else ()
        self._runs_under = self._python()
        return Command(self._runs_under, self._shared.boot, self.name, main.etc, self._shared.verbose, environment)

    def _python(self) -> str:
        named = self.instance.server.python if self.instance is not None else None
        return interpreter(named or self._shared.main.global_.python, sys.executable)

    def _open_stderr(self) -> int:
        if self._shared.verbose:
            return os.dup(2)
        folder = self._log_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "stderr.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _log_folder(self) -> Path:
        return self._shared.main.global_.log_path / "instances" / self.name

    def _signal(self, number: Signals, *, group: bool = False) -> None:
        pid = self.process.pid
        if pid is None:
            return  # not made, or reaped: its number may be somebody else's
        if number is SIGKILL:
            self._shared.journal.warn(f"killing pid {pid} and what it started", self.name)
        if group:
            signal_group(pid, number)
        else:
            os.kill(pid, number)

    def _read_reports(self) -> None:
        while self._report_fd is not None:
            try:
                data = os.read(self._report_fd, 65536)
            except BlockingIOError:
                return
            if not data:
                self._drop_report_pipe()
            for report in self._reader.feed(data):
                self._reported(report)

    def _reported(self, report: Report) -> None:
        if report.addresses:
            self.addresses = report.addresses
        if report.event is Event.READY:
            self.happen(events.Ready(report.addresses))
        elif report.event is Event.RELOADED:
            self._reload_ended(Reload(ReloadStatus.DONE))
        elif report.event is Event.RELOAD_FAILED:
            self._reload_ended(Reload(ReloadStatus.FAILED, report.reason))
        elif report.event is Event.NOTE:
            self.note, self.counts = report.reason, report.counts

    def _reload_ended(self, result: Reload) -> None:
        is_again, self.reload = self.reload.again, result
        if result.status is ReloadStatus.DONE:
            self._shared.journal.info("reloaded", self.name)
        else:
            goes_on = "it goes on as it was" if self.is_agent else "the old workers go on"
            self._shared.journal.error(f"reload failed, {goes_on}: {result.reason}", self.name)
        if is_again and self.state is State.RUNNING:
            self.begin_reload()

    def _drop_board(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None

    def _drop_report_pipe(self) -> None:
        if self._report_fd is not None:
            self._shared.loop.forget(self._report_fd)
            os.close(self._report_fd)
            self._report_fd = None

    def _record(self, before: Process) -> None:
        after = self.process
        where = f", pid {after.pid}" if after.pid and after.state is not State.STOPPING else ""
        text = f"{before.state.name} -> {after.state.name}{where}: {after.reason}"
        troubled = after.state in (State.FATAL, State.BACKOFF)
        text += f" ({after.fix})" if troubled and after.fix else ""
        (self._shared.journal.error if troubled else self._shared.journal.info)(text, self.name)
