"""A request that takes time: it waits until each of its instances has come to what was asked, and then answers.

The `…_outcome` functions look at a unit and say what became of it, or None: not yet. They are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skitaid.supervisor.renewal import RenewalStatus
from skitaid.supervisor.reply import Answer, Reply
from skitaid.supervisor.states import State
from skitaid.supervisor.status import figures_of
from skitaid.supervisor.unit import Unit

__all__ = ["Job", "Outcome", "Wait", "reload_outcome", "restart_outcome", "start_outcome", "stop_outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one unit. `exit` is the command's exit code: 1 refused or failed, 2 the conf is wrong."""

    ok: bool
    text: str
    exit: int = 0


Wait = Callable[[Unit], Outcome | None]
Summary = Callable[[Mapping[str, Outcome]], str]


def start_outcome(unit: Unit) -> Outcome | None:
    """What a start has come to."""
    process = unit.process
    if process.state in (State.STARTING, State.STOPPING):
        return None
    if process.state is State.RUNNING:
        return Outcome(True, f"{unit.name}: {process.reason} (pid {process.pid})")
    exit_code = 2 if process.state is State.FATAL else 1
    fix = f" ({process.fix})" if process.fix else ""
    return Outcome(False, f"{unit.name}: {process.state.value}: {process.reason}{fix}", exit_code)


def stop_outcome(unit: Unit) -> Outcome | None:
    """What a stop has come to."""
    return Outcome(True, f"{unit.name}: stopped") if unit.is_at_rest else None


def reload_outcome(unit: Unit) -> Outcome | None:
    """What a reload has come to; of a unit that was started in its stead, what the start has."""
    if unit.reload.is_pending:
        return None
    if unit.reload.status is RenewalStatus.DONE and unit.state is State.RUNNING:
        rest = ", but under the old python: restart applies the new one" if unit.needs_new_master else ""
        return Outcome(True, f"{unit.name}: reloaded{rest}")
    if unit.reload.status is RenewalStatus.FAILED:
        goes_on = "it goes on as it was" if unit.is_agent else "the old workers go on"
        return Outcome(False, f"{unit.name}: reload failed, {goes_on}: {unit.reload.reason}", 1)
    return start_outcome(unit)


def restart_outcome(unit: Unit) -> Outcome | None:
    """What a restart has come to; of a unit that was started in its stead, what the start has."""
    outcome = unit.restart.outcome
    if outcome.is_pending:
        return None
    if outcome.status is RenewalStatus.FAILED and unit.state is State.RUNNING:
        return Outcome(False, f"{unit.name}: restart failed, what served goes on: {outcome.reason}", 1)
    if outcome.status is RenewalStatus.DONE and unit.state is State.RUNNING:
        return Outcome(True, f"{unit.name}: restarted, {unit.process.reason} (pid {unit.process.pid})")
    return start_outcome(unit)


class Job:
    """Waits for units, and answers when all have come to what was asked. `waits` says for each unit what is waited for;
    `settled` are outcomes known beforehand. `summary` makes the answer's message."""

    def __init__(
        self,
        reply: Reply,
        waits: Sequence[tuple[Unit, Wait]],
        summary: Summary,
        *,
        settled: Mapping[str, Outcome] | None = None,
    ) -> None:
        self.reply = reply
        self._waits = list(waits)
        self._units = [unit for unit, _ in waits]
        self._summary = summary
        self._outcomes: dict[str, Outcome] = {}
        for name, outcome in (settled or {}).items():
            self._settle(name, outcome)

    def look(self) -> bool:
        """Tell what has come about since the last look. True: nothing is waited for any more, the answer is given."""
        for unit, wait in list(self._waits):
            outcome = wait(unit)
            if outcome is not None:
                self._waits.remove((unit, wait))
                self._settle(unit.name, outcome)
        if not self._waits:
            self.reply.finish(self._answer())
        return not self._waits

    def _settle(self, name: str, outcome: Outcome) -> None:
        self._outcomes[name] = outcome
        self.reply.progress(outcome.text)

    def _answer(self) -> Answer:
        failed = [outcome for outcome in self._outcomes.values() if not outcome.ok]
        return Answer(
            not failed,
            self._summary(self._outcomes),
            max((outcome.exit for outcome in failed), default=0),
            figures_of(self._units),
        )
