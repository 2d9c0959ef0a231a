"""What is asked of the fleet: start, stop, restart, reload, rotate, for one instance or agent, or for all. Each answers
through its reply, at once or when its instances have come to what was asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from skitaid.exceptions import ConfError
from skitaid.supervisor.agents import AGENTS, SECTIONS
from skitaid.supervisor.confs import Reading
from skitaid.supervisor.fleet import Fleet
from skitaid.supervisor.jobs import Job, Outcome, Wait, reload_outcome, restart_outcome, start_outcome, stop_outcome
from skitaid.supervisor.reply import Answer, Reply, refusal
from skitaid.supervisor.states import State
from skitaid.supervisor.unit import Unit

__all__ = ["Requests"]


class Requests:
    """Carries out what the control socket, a signal or the start of the daemon asks for."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def begin(self, only: Iterable[str], reply: Reply) -> None:
        """The first start: every enabled instance, or `only` those; the others are known and stopped. Raises ConfError
        when skitaid.conf is wrong."""
        reading = self._fleet.read()
        wanted = frozenset(only) or frozenset(reading.verdicts)
        units = [self._fleet.unit(name, reading) for name in sorted(reading.verdicts)]
        agents = [self._fleet.agents[name] for name in sorted(self._fleet.seat_agents(reading))]
        chosen = [unit for unit in units if unit.name in wanted]
        chosen += [unit for unit in agents if not only or unit.name in wanted]
        for unit in chosen:
            unit.start("the daemon starts")
        missing = {
            name: Outcome(False, _no_such(name, reading.verdicts), 1)
            for name in sorted(wanted - reading.verdicts.keys() - self._fleet.agents.keys())
        }
        self._wait_started(chosen, reply, settled=missing)

    def start(self, name: str | None, reply: Reply) -> None:
        """One, or all that do not run."""
        reading = self._read(name, reply)
        if reading is None:
            return
        units = self._chosen(name, reading)
        if name is not None and units[0].state is State.RUNNING:
            reply.finish(
                refusal(f"{name} runs already, {units[0].process.reason}; restart and reload act on one that runs")
            )
            return
        for unit in units:
            unit.start("start was asked for")
        self._wait_started(units, reply)

    def stop(self, name: str, reply: Reply, *, fast: bool) -> None:
        """One instance or agent; what is at rest already is refused. `fast`: without waiting for requests in flight."""
        unit = self._fleet.find(name)
        if unit is None:
            reply.finish(refusal(_no_such(name, self._fleet.units)))
            return
        if unit.state in (State.STOPPED, State.EXITED, State.FATAL):
            reply.finish(refusal(f"{name} is not running, it is {unit.state.value}"))
            return
        unit.stop("terminate was asked for" if fast else "stop was asked for", fast=fast)
        self._fleet.wait(Job(reply, [(unit, stop_outcome)], _first_text))

    def stop_all(self, reason: str, reply: Reply, *, fast: bool) -> None:
        """Everything; what is at rest stays so."""
        units = self._fleet.everyone
        waits = [(unit, stop_outcome) for unit in units if not unit.is_at_rest]
        for unit in units:
            unit.stop(reason, fast=fast)
        self._fleet.wait(Job(reply, waits, lambda outcomes: "skitaid has stopped"))

    def restart(self, name: str | None, reply: Reply) -> None:
        """A new master by the conf of now, refusing no connection, one instance after the other; None: all, those that
        do not run, too. A conf that is wrong is refused, and what runs goes on."""
        asked_at = time.monotonic()
        reading = self._read(name, reply)
        if reading is None:
            return
        self._fleet.shared.main = reading.main
        units = self._chosen(name, reading)
        wrong = [unit for unit in units if unit.problems and (name is None or not unit.process.is_at_rest)]
        settled = {unit.name: Outcome(False, _wrong_conf(unit).message, 2) for unit in wrong}
        others = [unit for unit in units if unit not in wrong]
        turns = Turns([unit for unit in others if _can_be_followed(unit)])
        waits = [(unit, turns.wait if _can_be_followed(unit) else _start_anew(unit, asked_at)) for unit in others]
        self._fleet.wait(Job(reply, waits, _renewal_summary, settled=settled))

    def reload(self, name: str | None, reply: Reply) -> None:
        """New workers by the confs of now. One whose conf is wrong goes on as it is."""
        reading = self._read(name, reply)
        if reading is None:
            return
        self._fleet.shared.main = reading.main
        units = self._chosen(name, reading)
        if name is not None and units[0].state in (State.STOPPED, State.EXITED) and not units[0].problems:
            reply.finish(refusal(f"{name} is not running, it is {units[0].state.value}; start it"))
            return
        settled = {unit.name: Outcome(False, _wrong_conf(unit).message, 2) for unit in units if unit.problems}
        waits = [(unit, wait) for unit in units if not unit.problems for wait in _renew(unit)]
        self._fleet.wait(Job(reply, waits, _renewal_summary, settled=settled))

    def rotate(self, name: str | None, reply: Reply) -> None:
        """Ask the masters to put their logs aside, and do so with skitaid.log unless one is named."""
        units = [unit for unit in self._fleet.everyone if name in (None, unit.name)]
        if name is not None and not units:
            reply.finish(refusal(_no_such(name, self._fleet.units)))
            return
        asked = [unit.name for unit in units if unit.rotate()]
        if name is None:
            self._fleet.shared.journal.rotate()
            asked.insert(0, "skitaid")
        if asked:
            reply.finish(Answer(True, f"logs rotated: {', '.join(asked)}"))
        else:
            reply.finish(refusal(f"{name} is not running, so nobody writes its logs"))

    def _read(self, name: str | None, reply: Reply) -> Reading | None:
        """The confs as they are now; None: the reply was told why it cannot go on."""
        try:
            reading = self._fleet.read()
        except ConfError as error:
            reply.finish(Answer(False, f"skitaid.conf is wrong, everything goes on as it is\n{error}", 2))
            return None
        if name is not None and name not in (*reading.verdicts, *self._fleet.agents_asked(reading)):
            reply.finish(refusal(_no_such(name, reading.verdicts)))
            return None
        if name in AGENTS:
            self._fleet.keep_agents(reading)
        else:
            self._fleet.take(reading, name)
        return reading

    def _chosen(self, name: str | None, reading: Reading) -> list[Unit]:
        if name in AGENTS:
            return [self._fleet.agents[name]]
        names = sorted(reading.verdicts) if name is None else [name]
        units = [self._fleet.unit(each, reading) for each in names]
        agents = [unit for unit in self._fleet.agents.values() if name is None and not unit.is_retired]
        return [*units, *agents]

    def _wait_started(
        self, units: Sequence[Unit], reply: Reply, *, settled: Mapping[str, Outcome] | None = None
    ) -> None:
        self._fleet.wait(Job(reply, [(unit, start_outcome) for unit in units], _summary, settled=settled))


class Turns:
    """Units that are restarted one after the other: only one at a time has two masters, and the memory of two."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._waiting = list(units)
        self._is_begun = False

    def wait(self, unit: Unit) -> Outcome | None:
        """What a `Job` waits for: begins with the unit's restart when its turn has come, and says what became of it;
        None: not yet."""
        if unit is not self._waiting[0]:
            return None
        if not self._is_begun:
            if unit.restart.outcome.is_pending:
                return None  # somebody else's, begun before the conf was as it is now
            self._begin(unit)
        outcome = restart_outcome(unit) if self._is_begun else start_outcome(unit)
        if outcome is not None:
            self._waiting.pop(0)
            self._is_begun = False
        return outcome

    def _begin(self, unit: Unit) -> None:
        """Unless it was stopped, or died, before its turn came."""
        if unit.state is State.RUNNING:
            unit.begin_restart()
            self._is_begun = True


def _can_be_followed(unit: Unit) -> bool:
    """Of an agent there must never be two: they would do the same work. One that took its place before it was ready has
    the addresses: it is to become ready first."""
    return not unit.is_agent and (unit.state is State.RUNNING or unit.restart.outcome.is_pending)


def _start_anew(unit: Unit, asked_at: float) -> Wait:
    """One that has begun since (monotonic), as its conf file was found, is new."""
    if unit.process.is_at_rest:
        unit.start("restart was asked for")
    elif unit.state is not State.STARTING or unit.process.since < asked_at:
        unit.stop("restart was asked for", again=True)
    return start_outcome


def _renew(unit: Unit) -> list[Wait]:
    """Have it run by its conf of now; what to wait for, if anything."""
    if unit.restart.outcome.is_pending:
        return [Turns([unit]).wait]
    if unit.state is State.RUNNING:
        unit.begin_reload()
        return [reload_outcome]
    if unit.state is not State.STOPPED:
        unit.start("reload was asked for")
        return [start_outcome]
    return []


def _no_such(name: str, known: Iterable[str]) -> str:
    if name in AGENTS:
        return f"there is no {SECTIONS[name]}, so {name} has nothing to do; it starts by itself when there is"
    there = ", ".join(sorted(known))
    return f"no instance {name!r} in servers-enabled" + (f"; there are: {there}" if there else ", which is empty")


def _wrong_conf(unit: Unit) -> Answer:
    problems = "\n".join(str(problem) for problem in unit.problems)
    goes_on = "" if unit.process.is_at_rest else ", the running one goes on"
    return Answer(False, f"{unit.name}: its conf file is wrong{goes_on}\n{problems}", 2)


def _first_text(outcomes: Mapping[str, Outcome]) -> str:
    return next(outcome.text for outcome in outcomes.values())


def _renewal_summary(outcomes: Mapping[str, Outcome]) -> str:
    """One that could not be reloaded may run all the same, as before."""
    return _summary(outcomes, "run" if all(outcome.ok for outcome in outcomes.values()) else "run by their conf of now")


def _summary(outcomes: Mapping[str, Outcome], verb: str = "run") -> str:
    """One: what became of it. Several: how many, and which are not well."""
    if len(outcomes) == 1:
        return _first_text(outcomes)
    if not outcomes:
        return "nothing to run: no conf file in servers-enabled; one that is put there starts by itself"
    failed = sorted(name for name, outcome in outcomes.items() if not outcome.ok)
    well = len(outcomes) - len(failed)
    noun = "instances and agents" if any(name in AGENTS for name in outcomes) else "instances"
    return f"{well} of {len(outcomes)} {noun} {verb}" + (f"; not: {', '.join(failed)}" if failed else "")
