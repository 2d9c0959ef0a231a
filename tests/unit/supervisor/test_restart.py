from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from skitaid.supervisor.journal import Journal
from skitaid.supervisor.leavers import Leavers
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.master import Master
from skitaid.supervisor.renewal import RenewalStatus
from skitaid.supervisor.report import Event, Report
from skitaid.supervisor.restart import Restart
from skitaid.supervisor.spawn import Command, SpawnError

GRACE_S = 10.0


@dataclass
class Stage:
    """Three masters that are no processes, and a restart under way: `new` is to take the place of `old`."""

    restart: Restart
    old: Master
    new: Master
    later: Master
    log: Path

    def begin(self, master: Master) -> None:
        self.restart.begin(lambda: master, 60.0)

    @property
    def status(self) -> RenewalStatus:
        return self.restart.outcome.status


def master(pid: int) -> Master:
    made = Master(
        Command("/python", Path("/boot.py"), "site", Path("/etc")), Loop(), lambda each, report: None, can_follow=True
    )
    made.pid, made.is_gone = pid, True  # nobody is to be signalled
    return made


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(Restart("site", Journal(tmp_path)), master(1), master(2), master(3), tmp_path / "skitaid.log")
    made.begin(made.new)
    return made


def test_it_is_done_when_the_old_one_takes_nothing_more(stage: Stage) -> None:
    assert stage.restart.is_successor(stage.new)
    stage.restart.take_over(stage.old)
    assert not stage.restart.is_successor(stage.new)
    assert stage.status is RenewalStatus.PENDING
    stage.restart.heard(stage.old, Report(Event.STOPPING))
    assert stage.status is RenewalStatus.DONE
    assert stage.restart.find(1) is stage.old
    stage.restart.died(stage.old, 0, stage.new)
    assert stage.restart.leavers.is_empty


@pytest.mark.parametrize("how", ["it is late", "it ends"])
def test_it_is_done_without_a_word_of_the_old_one(stage: Stage, how: str) -> None:
    stage.restart.take_over(stage.old)
    stage.restart.tick(time.monotonic(), stage.new, GRACE_S)
    assert stage.status is RenewalStatus.PENDING
    if how == "it ends":
        stage.restart.died(stage.old, -9, stage.new)
    else:
        stage.restart.tick(time.monotonic() + 5, stage.new, GRACE_S)
    assert stage.status is RenewalStatus.DONE


def test_a_successor_that_is_late(stage: Stage) -> None:
    stage.restart.tick(time.monotonic() + 66, stage.old, GRACE_S)
    assert stage.status is RenewalStatus.FAILED
    assert stage.restart.outcome.reason.startswith("the new master was not ready within 60 s (start_timeout)")
    assert stage.restart.find(2) is stage.new  # it is on its way out


def test_a_successor_that_dies(stage: Stage) -> None:
    stage.restart.died(stage.new, -9, stage.old)
    assert stage.restart.outcome.reason.startswith("the new master killed by signal 9 (Killed)")
    assert "[error:site] restart failed: the new master killed" in stage.log.read_text()
    assert stage.restart.find(2) is None


def test_a_successor_that_said_why(stage: Stage) -> None:
    stage.new.failure = "no address is left"
    stage.restart.died(stage.new, 1, stage.old)
    assert stage.restart.outcome.reason == "no address is left"


def test_one_that_cannot_be_started(stage: Stage) -> None:
    def launch() -> Master:
        raise SpawnError("no such python", is_permanent=True)

    stage.restart.done()
    stage.restart.begin(launch, 60.0)
    assert (stage.status, stage.restart.outcome.reason) == (RenewalStatus.FAILED, "no such python")


def test_the_words_of_an_earlier_restart_are_not_for_this_one(stage: Stage) -> None:
    stage.restart.take_over(stage.old)
    stage.restart.done()
    stage.begin(stage.later)
    stage.restart.heard(stage.old, Report(Event.STOPPING))
    stage.restart.died(stage.old, 0, stage.new)
    assert stage.status is RenewalStatus.PENDING
    assert stage.restart.is_successor(stage.later)


def test_the_master_dies_first(stage: Stage) -> None:
    assert stage.restart.adopt() is stage.new
    assert stage.restart.adopt() is None
    stage.restart.tick(time.monotonic() + 66, stage.new, GRACE_S)  # the unit's start has its own time-out
    assert stage.status is RenewalStatus.PENDING
    stage.restart.done()
    assert stage.restart.find(2) is None


def test_nothing_is_under_way(stage: Stage) -> None:
    stage.restart.done()
    stage.restart.give_up("stop was asked for", stage.old, GRACE_S)
    assert stage.status is RenewalStatus.DONE


# ---------------------------------------------------------------- leavers


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Deaf to everything but SIGKILL."""
    code = (
        "import signal, time; [signal.signal(each, signal.SIG_IGN) for each in (3, 15)]; "
        "print('deaf', flush=True); time.sleep(300)"
    )
    made = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    assert made.stdout is not None
    assert made.stdout.readline() == b"deaf\n"
    yield made
    made.kill()
    made.wait()
    made.stdout.close()


def test_one_that_does_not_go_is_killed(process: subprocess.Popen[bytes]) -> None:
    killed: list[int] = []
    leavers, leaver = Leavers(killed.append), master(process.pid)
    leaver.is_gone = False
    now = time.monotonic()
    leavers.add(leaver, now + 300)
    leavers.hurry(15.0, fast=False)
    leavers.tick(now + 19)
    assert killed == []
    leavers.hurry(0.0, fast=True)
    leavers.tick(now + 19)
    assert killed == [process.pid]
    assert process.wait(30) == -9
    leavers.remove(leaver)
    assert leavers.is_empty
