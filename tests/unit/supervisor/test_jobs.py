from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.config.model import Global, Instance, Main, Server
from skitaid.exceptions import Problem
from skitaid.supervisor.jobs import Job, Outcome, reload_outcome, restart_outcome, start_outcome, stop_outcome
from skitaid.supervisor.journal import Journal
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.process import Ready, Spawned, SpawnFailed
from skitaid.supervisor.renewal import Renewal, RenewalStatus
from skitaid.supervisor.reply import Answer, HookReply, NullReply, Reply
from skitaid.supervisor.requests import Turns
from skitaid.supervisor.states import State
from skitaid.supervisor.status import instance_figures
from skitaid.supervisor.unit import Shared, Unit


class Written:
    """A reply that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.answer: Answer | None = None

    def progress(self, text: str) -> None:
        self.told.append(text)

    def finish(self, answer: Answer) -> None:
        self.answer = answer


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    """Its interpreter cannot be executed, so that every start fails at once and nothing runs."""
    main = Main(Global(tmp_path / "log", tmp_path / "lib", tmp_path / "run", python="/nowhere/python"), tmp_path)
    loop, line = Loop(), Lifeline.create()
    made = Unit("site", Shared(main, loop, Journal(tmp_path / "log"), line, tmp_path / "boot.py"))
    yield made
    made.close()
    line.close()
    loop.close()


def instance(**server: float) -> Instance:
    return Instance("site", Path("/site.conf"), Server(**server))  # type: ignore[arg-type]


def log(unit: Unit, tmp_path: Path) -> str:
    return (tmp_path / "log" / "skitaid.log").read_text()


def test_limits_are_the_confs(unit: Unit) -> None:
    unit.adopt(instance(start_timeout_s=7, response_timeout_s=20))
    assert (unit.process.limits.start_timeout_s, unit.process.limits.grace_s) == (7, 25)
    unit.adopt(instance(response_timeout_s=1))
    assert unit.process.limits.grace_s == 10


def test_an_interpreter_that_cannot_be_executed_is_fatal(unit: Unit, tmp_path: Path) -> None:
    unit.adopt(instance())
    unit.start("asked")
    assert unit.state is State.FATAL
    assert "cannot execute /nowhere/python" in unit.process.reason
    assert "[error:site] STARTING -> FATAL" in log(unit, tmp_path)
    assert start_outcome(unit) == Outcome(False, f"site: fatal: {unit.process.reason} ({unit.process.fix})", 2)
    assert stop_outcome(unit) == Outcome(True, "site: stopped")


def test_a_wrong_conf_is_told_and_fatal_when_it_is_to_start(unit: Unit, tmp_path: Path) -> None:
    problems = (Problem("/site.conf", 2, "port: found many, expected a number"), Problem("/site.conf", 3, "x"))
    unit.reject(problems)
    assert unit.state is State.STOPPED
    assert "[error:site] /site.conf:2: port: found many" in log(unit, tmp_path)
    unit.start("asked")
    assert unit.state is State.FATAL
    assert unit.process.reason.startswith("its conf file has 2 problems, first /site.conf:2")
    unit.adopt(instance())
    assert unit.problems == ()


def test_figures_of_one_that_rests(unit: Unit) -> None:
    figures = instance_figures(unit)
    assert (figures["name"], figures["state"], figures["pid"], figures["uptime_s"]) == ("site", "stopped", None, None)
    assert (figures["workers"], figures["address"], figures["restarts"]) == ([], None, 0)


def test_job_waits_and_then_answers_once(unit: Unit) -> None:
    reply, came = Written(), [None, Outcome(False, "site: no", 2)]
    job = Job(
        reply,
        [(unit, lambda each: came.pop(0))],
        lambda outcomes: f"{len(outcomes)} done",
        settled={"other": Outcome(False, "other: refused", 1)},
    )
    assert not job.look()
    assert reply.told == ["other: refused"]
    assert job.look()
    assert reply.told == ["other: refused", "site: no"]
    assert reply.answer is not None
    assert (reply.answer.ok, reply.answer.message, reply.answer.exit) == (False, "2 done", 2)
    assert [figures["name"] for figures in reply.answer.data["instances"]] == ["site"]


def test_job_without_anything_to_wait_for(unit: Unit) -> None:
    reply = Written()
    assert Job(reply, [], lambda outcomes: "nothing").look()
    assert reply.answer == Answer(True, "nothing", 0, {"instances": [], "agents": []})


def test_a_hook_decides_when_the_answer_goes_on() -> None:
    reply, held = Written(), []

    def hold(answer: Answer, to: Reply) -> None:
        held.append((answer, to))

    hook = HookReply(reply, hold)
    hook.progress("working")
    hook.finish(Answer(True, "done"))
    assert (reply.told, reply.answer, held) == (["working"], None, [(Answer(True, "done"), reply)])
    NullReply().finish(Answer(True, "done"))


def test_reload_outcome_of_one_that_never_reloaded(unit: Unit) -> None:
    unit.process = unit.process.__class__("site", State.STARTING)
    assert reload_outcome(unit) is None
    unit.happen(Spawned(7))
    unit.happen(Ready(("127.0.0.1:1",)))
    assert reload_outcome(unit) == Outcome(True, "site: ready on 127.0.0.1:1 (pid 7)")
    unit.process = unit.process.__class__("site", State.STARTING)
    unit.happen(SpawnFailed("out of memory", is_permanent=False))
    outcome = reload_outcome(unit)
    assert outcome is not None
    assert outcome.text.startswith("site: backoff: out of memory (next try in 5 s")


def running(unit: Unit) -> Unit:
    unit.process = unit.process.__class__(unit.name, State.STARTING)
    unit.happen(Spawned(7))
    unit.happen(Ready(("127.0.0.1:1",)))
    return unit


def test_restart_outcomes(unit: Unit) -> None:
    running(unit).restart.outcome = Renewal(RenewalStatus.PENDING)
    assert restart_outcome(unit) is None
    unit.restart.outcome = Renewal(RenewalStatus.DONE)
    assert restart_outcome(unit) == Outcome(True, "site: restarted, ready on 127.0.0.1:1 (pid 7)")
    unit.restart.outcome = Renewal(RenewalStatus.FAILED, "no such python")
    assert restart_outcome(unit) == Outcome(False, "site: restart failed, what served goes on: no such python", 1)
    unit.process = unit.process.__class__("site", State.STOPPED, reason="stop was asked for")
    assert restart_outcome(unit) == Outcome(False, "site: stopped: stop was asked for", 1)


def test_a_successor_that_cannot_be_executed(unit: Unit) -> None:
    running(unit).begin_restart()
    assert unit.restart.outcome.status is RenewalStatus.FAILED
    assert "cannot execute /nowhere/python" in unit.restart.outcome.reason
    assert unit.state is State.RUNNING


def test_units_are_restarted_one_after_the_other(unit: Unit) -> None:
    other = running(Unit("other", unit._shared))
    turns = Turns([running(unit), other])
    unit.restart.outcome = Renewal(RenewalStatus.PENDING)
    assert turns.wait(unit) is None  # somebody else's restart
    assert turns.wait(other) is None
    assert unit.restart.outcome.is_pending
    unit.restart.outcome = Renewal(RenewalStatus.DONE)
    first, second = turns.wait(unit), turns.wait(other)  # both fail at once, as there is no such python
    assert first is not None
    assert second is not None
    assert first.text.startswith("site: restart failed")
    assert second.text.startswith("other: restart failed")


def test_one_that_was_stopped_before_its_turn_is_not_started(unit: Unit) -> None:
    turns = Turns([unit])
    assert turns.wait(unit) == Outcome(False, "site: stopped: ", 1)
    assert unit.state is State.STOPPED
