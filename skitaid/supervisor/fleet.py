"""All instances and agents together: conf files come and go, masters die, time passes. Nothing here waits."""

from __future__ import annotations

import os
from dataclasses import replace

from skitaid.config.model import Main
from skitaid.exceptions import ConfError, Problem
from skitaid.supervisor.agents import SECTIONS, AgentUnit, make_spool, wanted
from skitaid.supervisor.confs import Confs, Reading
from skitaid.supervisor.jobs import Job
from skitaid.supervisor.plan import Plan
from skitaid.supervisor.process import Tick, next_deadline
from skitaid.supervisor.states import State
from skitaid.supervisor.unit import Shared, Unit

__all__ = ["Fleet"]


class Fleet:
    """The instances and the agents by name, and the jobs that wait for them."""

    def __init__(self, shared: Shared, confs: Confs) -> None:
        self.units: dict[str, Unit] = {}
        self.agents: dict[str, AgentUnit] = {}
        self.shared = shared
        self._confs = confs
        self._jobs: list[Job] = []
        self._warned: tuple[Problem, ...] = ()

    @property
    def everyone(self) -> list[Unit]:
        return [*self.units.values(), *self.agents.values()]

    def find(self, name: str) -> Unit | None:
        """An instance or an agent."""
        return self.units.get(name) or self.agents.get(name)

    # ------------------------------------------------------------ what time brings

    def look_at_files(self) -> None:
        """Once a second: files that came are started, those that went stopped, those edited validated."""
        changes = self._confs.changes()
        if self._confs.main_changed():
            self._check_main()
        if changes.is_idle:
            return
        reading = self._read_or_complain()
        if reading is not None:
            self._apply(changes, reading)
            self.keep_agents(reading)

    def tick(self, now: float) -> None:
        """Once a second: what units do by the clock; those whose conf file is gone and that have stopped are
        forgotten."""
        for unit in self.everyone:
            unit.tick(now)
            if unit.is_retired and unit.is_at_rest:
                unit.close()
                (self.agents if unit.is_agent else self.units).pop(unit.name)

    def turn(self) -> None:
        """After whatever happened: deadlines that passed, answers that are due."""
        for unit in self.everyone:
            unit.happen(Tick())
        for job in list(self._jobs):
            self._jobs.remove(job)  # first, so that one that raises does not come again
            if not job.look():
                self._jobs.append(job)

    def next_deadline(self) -> float | None:
        due = [next_deadline(unit.process) for unit in self.everyone]
        return min((at for at in due if at is not None), default=None)

    def reap(self) -> None:
        """Children that ended. One that is no master (we may be init in a container) just goes."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for unit in self.everyone:
                if unit.has(pid):
                    unit.died(pid, os.waitstatus_to_exitcode(status))

    def wait(self, job: Job) -> None:
        """It is answered at the end of this turn of the loop or of a later one."""
        self._jobs.append(job)

    def close(self) -> None:
        """Every unit is at rest."""
        for unit in self.everyone:
            unit.close()

    # ------------------------------------------------------------ conf

    def read(self) -> Reading:
        """Every conf, anew. Raises ConfError when skitaid.conf is wrong."""
        reading = self._confs.read()
        self.shared.journal.problems(warning for warning in reading.warnings if warning not in self._warned)
        self._warned = reading.warnings
        return reading

    def take(self, reading: Reading, name: str | None) -> None:
        """The file of `name` as it is now counts at once; None: every file, so that new ones start, too."""
        changes = self._confs.take(name)
        if name is None:
            self._apply(replace(changes, edited=()), reading)
        self.keep_agents(reading)

    def _apply(self, changes: Plan, reading: Reading) -> None:
        for name in changes.stop:
            self._retire(name)
        for name in changes.start:
            if name in reading.verdicts:
                self.shared.journal.info("its conf file came", name)
                self.unit(name, reading).start("its conf file came")
        for name in changes.edited:
            if name in reading.verdicts:
                self._edited(self.unit(name, reading))

    def keep_agents(self, reading: Reading) -> None:
        """An agent comes and goes with the sections that ask for it."""
        before = {name for name, unit in self.agents.items() if not unit.is_retired}
        for name in sorted(self.seat_agents(reading)):
            unit = self.agents[name]
            if name not in before:
                unit.start(f"there is {SECTIONS[name]}")
            elif unit.state in (State.FATAL, State.BACKOFF):
                unit.start("a conf file was edited")

    def seat_agents(self, reading: Reading) -> frozenset[str]:
        """Have a unit for each agent that the confs ask for, and for no other; the names."""
        asked = self.agents_asked(reading)
        for name in asked:
            self.agents.setdefault(name, AgentUnit(name, self.shared)).is_retired = False
        if "smtpda" in asked:
            self._make_spool(reading.main)
        for name in self.agents.keys() - asked:
            if not self.agents[name].is_retired:
                self.agents[name].is_retired = True
                self.agents[name].stop(f"there is no {SECTIONS[name]} any more")
        return asked

    def _make_spool(self, main: Main) -> None:
        try:
            make_spool(main)
        except OSError as error:
            self.shared.journal.warn(f"apps cannot send mail: {error}", "smtpda")

    def agents_asked(self, reading: Reading) -> frozenset[str]:
        """An instance whose file is wrong by now goes on with what it had, and so do its jobs."""
        found = [
            verdict.instance or (self.units[name].instance if name in self.units else None)
            for name, verdict in reading.verdicts.items()
        ]
        return wanted(reading.main, [instance for instance in found if instance is not None])

    def _edited(self, unit: Unit) -> None:
        journal = self.shared.journal
        if unit.problems:
            return  # said by reject
        if unit.state in (State.FATAL, State.BACKOFF):
            unit.start("its conf file was corrected" if unit.state is State.FATAL else "its conf file was edited")
        elif unit.process.is_at_rest:
            journal.info("its conf file was edited and is right; start applies it", unit.name)
        else:
            journal.info("its conf file was edited and is right; reload or restart applies it", unit.name)

    def _retire(self, name: str) -> None:
        unit = self.units.get(name)
        if unit is not None:
            unit.is_retired = True
            unit.stop("its conf file is gone")

    def unit(self, name: str, reading: Reading) -> Unit:
        """The unit of that name, made if need be, with the conf just read."""
        if name not in self.units:
            self.units[name] = Unit(name, self.shared)
        unit = self.units[name]
        unit.is_retired = False
        verdict = reading.verdicts[name]
        if verdict.instance is not None:
            unit.adopt(verdict.instance)
        elif verdict.problems != unit.problems:
            unit.reject(verdict.problems)
        return unit

    def _read_or_complain(self) -> Reading | None:
        try:
            return self.read()
        except ConfError as error:
            self.shared.journal.problems(error.problems)
            return None

    def _check_main(self) -> None:
        reading = self._read_or_complain()
        if reading is not None:
            self.keep_agents(reading)
            self.shared.journal.info("skitaid.conf was edited and is right; reload applies it")
