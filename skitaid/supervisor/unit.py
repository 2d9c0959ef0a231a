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
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGUSR1, Signals
from typing import ClassVar

from skitaid.config.model import Instance, Main
from skitaid.exceptions import Problem
from skitaid.supervisor import process as events
from skitaid.supervisor.journal import Journal
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.master import Master
from skitaid.supervisor.orphans import OrphanedGroups
from skitaid.supervisor.process import Process
from skitaid.supervisor.rates import RateWindow
from skitaid.supervisor.renewal import Renewal, RenewalStatus
from skitaid.supervisor.report import Event, Report
from skitaid.supervisor.restart import Restart
from skitaid.supervisor.scoreboard import SlotView
from skitaid.supervisor.spawn import Command, SpawnError, interpreter
from skitaid.supervisor.states import State

__all__ = ["Shared", "Unit"]

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


class Unit:
    """An instance or an agent: its conf, its process, and what is being done to it."""

    is_agent: ClassVar[bool] = False

    def __init__(self, name: str, shared: Shared) -> None:
        self.process = Process(name, since=time.monotonic())
        self.since = time.time()
        self.instance: Instance | None = None
        self.problems: tuple[Problem, ...] = ()
        self.addresses: tuple[str, ...] = ()
        self.unserved: tuple[str, ...] = ()
        """Its apps that could not be loaded, each "MOUNT (…): why"."""
        self.note = ""
        """What it says about itself, for `status`."""
        self.counts: Mapping[str, int] = {}
        self.reload = Renewal()
        self.restart = Restart(name, shared.journal)
        self.rates = RateWindow()
        self.is_retired = False
        """Its conf file is gone: it is forgotten once it has stopped."""
        self._shared = shared
        self._orphans = OrphanedGroups()
        self._master: Master | None = None

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
        self.happen(
            events.Broken(
                f"its conf file has {count}, first {errors[0]}" if errors else "its conf is wrong",
                "it starts when the file is corrected",
            )
        )

    @property
    def workers(self) -> list[SlotView]:
        """As they wrote it down last; none without a master."""
        return self._master.workers if self._master is not None else []

    @property
    def workers_replaced(self) -> int:
        """By this master, because they died or were stuck."""
        return self._master.workers_replaced if self._master is not None else 0

    @property
    def needs_new_master(self) -> bool:
        """It runs under another interpreter than its conf names now: no reload can change that."""
        return self.state is State.RUNNING and self._master is not None and self._master.python != self._python()

    @property
    def is_at_rest(self) -> bool:
        """Nobody of it runs, also no master that another one has replaced."""
        return self.process.is_at_rest and self.restart.leavers.is_empty

    def has(self, pid: int) -> bool:
        """Is that its master, or another one of its masters?"""
        return pid == self.process.pid or self.restart.find(pid) is not None

    # ------------------------------------------------------------ what happens to it

    def start(self, reason: str) -> None:
        """By the conf adopted last; a wrong one makes it FATAL."""
        if self.problems and self.process.is_at_rest:
            self.break_off()
        else:
            self.happen(events.Start(reason))

    def stop(self, reason: str, *, fast: bool = False, again: bool = False) -> None:
        self._give_up_restart(reason)
        self.restart.leavers.hurry(0.0 if fast else self.process.limits.grace_s, fast=fast)
        self.happen(events.Stop(reason, fast=fast, again=again, keeps=again and self.is_agent))

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
        """One of its masters was reaped. What is left of its group gets the time to leave by itself, or none."""
        master = self.restart.find(pid) or self._master
        if master is not None and master.pid == pid:
            master.is_gone = True
            master.read_reports()
        if master is not None and master is not self._master:
            self.restart.died(master, code, self._master)
            self._bury(pid, may_linger=code < 0)
        else:
            self._master_died(pid, code)

    def _master_died(self, pid: int, code: int) -> None:
        self._drop_master()
        is_wanted_gone = self.state is not State.RUNNING
        self._bury(pid, may_linger=not is_wanted_gone)
        if is_wanted_gone:
            self._orphans.kill_all()
        self.rates.clear()
        self.addresses, self.note, self.counts = (), "", {}
        if self.reload.is_pending:
            self.reload = Renewal(RenewalStatus.FAILED, "the master ended")
        self.happen(events.Died(code, is_followed=self.restart.has_successor))
        if self.state is not State.STARTING:
            self._give_up_restart("the master ended")

    def _bury(self, group: int, *, may_linger: bool) -> None:
        now = time.monotonic()
        self._orphans.add(group, now + ORPHANS_S if may_linger else now)
        self._orphans.tick(now)

    def tick(self, now: float) -> None:
        """Once a second, `now` being monotonic: what is left of dead masters, figures, and whatever is late."""
        self._orphans.tick(now)
        if self.state is State.RUNNING:
            self.rates.feed(now, self.workers)
        if self.reload.is_late(now):
            self._reload_ended(Renewal(RenewalStatus.FAILED, "no answer from the master; its server.log may say why"))
        self.restart.tick(now, self._master, self.process.limits.grace_s)
        self.happen(events.Tick())

    def begin_reload(self) -> None:
        """Ask the master, which must be RUNNING, for new workers; `reload` tells how it went."""
        if self.reload.is_pending:
            self.reload = Renewal(RenewalStatus.PENDING, deadline=self.reload.deadline, again=True)
            return
        deadline = time.monotonic() + self.process.limits.start_timeout_s + RELOAD_BEYOND_START_S
        self.reload = Renewal(RenewalStatus.PENDING, deadline=deadline)
        self._shared.journal.info("reloading", self.name)
        self._signal(SIGHUP)

    def begin_restart(self) -> None:
        """Start another master beside the one that is RUNNING, to take its place when it is ready; `restart` tells how
        it went."""
        before = self._master
        self.restart.begin(lambda: self._launch(before), self.process.limits.start_timeout_s)

    def rotate(self) -> bool:
        """False: no master that could be asked."""
        if self.state is not State.RUNNING:
            return False
        self._signal(SIGUSR1)
        return True

    def close(self) -> None:
        """It is at rest and will be forgotten."""
        self._orphans.kill_all()
        self._drop_master()

    # ------------------------------------------------------------ performing

    def _perform(self, action: events.Action) -> None:
        if isinstance(action, events.Spawn):
            self._spawn()
        else:
            self._signal(action.signal, group=action.group)

    def _spawn(self) -> None:
        self._orphans.tick(time.monotonic())
        try:
            self._master = self.restart.adopt() or self._launch()
        except SpawnError as error:
            self.happen(events.SpawnFailed(str(error), error.is_permanent))
        except OSError as error:
            self.happen(events.SpawnFailed(f"cannot start: {error}", is_permanent=False))
        else:
            self.happen(events.Spawned(self._master.pid))

    def _launch(self, predecessor: Master | None = None) -> Master:
        """A new master process; it is to take the place of `predecessor`, if one is given. Raises SpawnError,
        OSError."""
        stderr = self._open_stderr()
        master = Master(self._command(), self._shared.loop, self._reported, can_follow=not self.is_agent)
        try:
            master.start(self._shared.lifeline.read_fd, stderr, predecessor)
        except BaseException:
            master.close()
            raise
        finally:
            os.close(stderr)
        return master

    def _command(self) -> Command:
        main = self._shared.main
        environment = self.instance.environment if self.instance is not None else ()
        return Command(self._python(), self._shared.boot, self.name, main.etc, self._shared.verbose, environment)

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
        if self._master is None:
            return
        if number is SIGKILL:
            self._shared.journal.warn(f"killing pid {self._master.pid} and what it started", self.name)
        self._master.signal(number, group=group)

    def _reported(self, master: Master, report: Report) -> None:
        if report.event is Event.FAILED:
            master.failure = report.reason
        if master is self._master:
            self._master_reported(report)
        elif not self.restart.is_successor(master):
            self.restart.heard(master, report)
        elif report.event is Event.READY:
            self.unserved = report.unserved
            self._take_over(master, report.addresses)
        elif report.event is Event.FAILED:
            self._give_up_restart(report.reason)

    def _take_over(self, successor: Master, addresses: tuple[str, ...]) -> None:
        self.restart.take_over(self._master)
        self._master, self.addresses = successor, addresses
        self.rates.clear()
        if self.reload.is_pending:
            self._reload_ended(Renewal(RenewalStatus.DONE))  # the new master has read the conf since
        self.happen(events.Replaced(successor.pid, addresses))

    def _give_up_restart(self, reason: str) -> None:
        self.restart.give_up(reason, self._master, self.process.limits.grace_s)

    def _master_reported(self, report: Report) -> None:
        if report.addresses:
            self.addresses = report.addresses
        if report.event in (Event.READY, Event.RELOADED):
            self.unserved = report.unserved
        if report.event is Event.READY:
            self.happen(events.Ready(report.addresses))
            self.restart.done()
        elif report.event is Event.RELOADED:
            self._reload_ended(Renewal(RenewalStatus.DONE))
        elif report.event is Event.RELOAD_FAILED:
            self._reload_ended(Renewal(RenewalStatus.FAILED, report.reason))
        elif report.event is Event.NOTE:
            self.note, self.counts = report.reason, report.counts

    def _reload_ended(self, result: Renewal) -> None:
        is_again, self.reload = self.reload.again, result
        if result.status is RenewalStatus.DONE:
            self._shared.journal.info("reloaded", self.name)
        else:
            goes_on = "it goes on as it was" if self.is_agent else "the old workers go on"
            self._shared.journal.error(f"reload failed, {goes_on}: {result.reason}", self.name)
        if is_again and self.state is State.RUNNING:
            self.begin_reload()

    def _drop_master(self) -> None:
        if self._master is not None:
            self._master.close()
            self._master = None

    def _record(self, before: Process) -> None:
        after = self.process
        where = f", pid {after.pid}" if after.pid and after.state is not State.STOPPING else ""
        text = f"{before.state.name} -> {after.state.name}{where}: {after.reason}"
        troubled = after.state in (State.FATAL, State.BACKOFF)
        text += f" ({after.fix})" if troubled and after.fix else ""
        journal = self._shared.journal
        is_replaced = before.state is State.RUNNING and after.restarts > before.restarts
        tell = journal.error if troubled else journal.warn if is_replaced else journal.info
        tell(text, self.name)
