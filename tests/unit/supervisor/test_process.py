from __future__ import annotations

from signal import SIGKILL, SIGQUIT, SIGTERM, SIGUSR2

import pytest

from skitaid.supervisor.process import (
    Action,
    After,
    Broken,
    Died,
    Event,
    Limits,
    Process,
    Ready,
    Replaced,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    Start,
    Stop,
    Tick,
    describe_exit,
    next_deadline,
    step,
)
from skitaid.supervisor.states import IllegalTransitionError, State, check_transition

LIMITS = Limits(start_timeout_s=60, grace_s=15)


class Run:
    """A process, and the clock that its events are given."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.process = Process("site", limits=LIMITS)
        self.actions: list[Action] = []

    def do(self, *events: Event, after_s: float = 0.0) -> State:
        self.now += after_s
        for event in events:
            self.process, actions = step(self.process, event, self.now)
            self.actions += actions
        return self.process.state

    def taken(self) -> list[Action]:
        taken, self.actions = self.actions, []
        return taken


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def running(run: Run) -> Run:
    run.do(Start("asked"), Spawned(7), Ready(("127.0.0.1:5000",)))
    run.taken()
    return run


def test_start_spawns_and_ready_runs(run: Run) -> None:
    assert run.do(Start("asked")) is State.STARTING
    assert run.taken() == [Spawn()]
    assert run.do(Spawned(7)) is State.STARTING
    assert run.do(Ready(("127.0.0.1:5000", "unix:/s"))) is State.RUNNING
    assert run.process.reason == "ready on 127.0.0.1:5000, unix:/s"
    assert run.process.pid == 7
    assert next_deadline(run.process) is None


def test_start_of_one_that_runs_does_nothing(running: Run) -> None:
    assert running.do(Start("asked")) is State.RUNNING
    assert running.taken() == []


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, State.EXITED), (2, State.FATAL), (1, State.BACKOFF), (3, State.BACKOFF), (-9, State.BACKOFF)],
)
def test_death_before_ready(run: Run, code: int, state: State) -> None:
    run.do(Start("asked"), Spawned(7))
    assert run.do(Died(code)) is state
    assert run.process.pid is None
    assert run.process.fix


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, State.EXITED), (2, State.FATAL), (1, State.STARTING), (3, State.STARTING), (-9, State.STARTING)],
)
def test_death_after_ready(running: Run, code: int, state: State) -> None:
    assert running.do(Died(code), after_s=5) is state


def test_three_quick_restarts_then_back_off(running: Run) -> None:
    for pid in (8, 9, 10):
        assert running.do(Died(1), after_s=1) is State.STARTING
        running.do(Spawned(pid), Ready())
    assert running.do(Died(1), after_s=1) is State.BACKOFF
    assert running.process.restarts == 3
    assert "4th time within 60 s" in running.process.reason


def test_quick_restarts_older_than_a_minute_do_not_count(running: Run) -> None:
    for pid in range(8, 20):
        assert running.do(Died(1), after_s=20.1) is State.STARTING
        running.do(Spawned(pid), Ready())
    assert running.process.restarts == 12


def test_restart_now_is_no_failure(running: Run) -> None:
    for pid in range(8, 30):
        assert running.do(Died(3), after_s=1) is State.STARTING
        running.do(Spawned(pid), Ready())
    assert running.process.quick == ()


def test_back_off_doubles_to_ten_minutes(run: Run) -> None:
    delays = []
    run.do(Start("asked"))
    for pid in range(10):
        run.do(Spawned(pid + 1), Died(1))
        due = next_deadline(run.process)
        assert due is not None
        delays.append(due - run.now)
        assert run.do(Tick(), after_s=delays[-1] - 0.01) is State.BACKOFF
        assert run.do(Tick(), after_s=0.02) is State.STARTING
    assert delays == pytest.approx([5, 10, 20, 40, 80, 160, 320, 600, 600, 600])
    assert run.process.restarts == 10


def test_a_good_run_resets_the_back_off(run: Run) -> None:
    run.do(Start("asked"), Spawned(1), Died(1))
    run.do(Tick(), Spawned(2), Died(1), after_s=5)
    assert run.process.backoff_s == 20
    run.do(Tick(), Spawned(3), Ready(), after_s=10)
    assert run.do(Died(1), after_s=59) is State.STARTING
    assert run.process.backoff_s == 20
    run.do(Spawned(4), Ready())
    assert run.do(Died(1), after_s=60) is State.STARTING
    assert run.process.backoff_s == 5


def test_asking_resets_the_back_off(run: Run) -> None:
    run.do(Start("asked"), Spawned(1), Died(1))
    assert run.do(Start("asked")) is State.STARTING
    run.do(Spawned(2), Died(1))
    assert next_deadline(run.process) == run.now + 5


def test_not_ready_in_time_is_killed_and_counts_as_a_failure(run: Run) -> None:
    run.do(Start("asked"), Spawned(7))
    run.taken()
    assert run.do(Tick(), after_s=59.9) is State.STARTING
    assert run.do(Tick(), after_s=0.1) is State.STOPPING
    assert run.taken() == [Signal(SIGKILL, group=True)]
    assert run.do(Ready()) is State.STOPPING
    assert run.do(Died(-9)) is State.BACKOFF
    assert "not ready within 60 s" in run.process.reason


def test_a_stop_during_that_kill_stops(run: Run) -> None:
    run.do(Start("asked"), Spawned(7), Tick(), after_s=0)
    run.do(Tick(), after_s=60)
    assert run.do(Stop("asked"), Died(-9)) is State.STOPPED


def test_graceful_stop_escalates(running: Run) -> None:
    assert running.do(Stop("asked")) is State.STOPPING
    assert running.taken() == [Signal(SIGQUIT)]
    running.do(Tick(), after_s=14.9)
    assert running.taken() == []
    running.do(Tick(), Tick(), after_s=0.1)
    assert running.taken() == [Signal(SIGTERM)]
    running.do(Tick(), after_s=4.9)
    assert running.taken() == []
    running.do(Tick(), Tick(), after_s=0.1)
    assert running.taken() == [Signal(SIGKILL, group=True)]
    assert next_deadline(running.process) is None
    assert running.do(Died(-9)) is State.STOPPED
    assert running.process.reason == "asked"


def test_fast_stop(running: Run) -> None:
    running.do(Stop("asked", fast=True))
    assert running.taken() == [Signal(SIGTERM)]
    running.do(Tick(), after_s=5)
    assert running.taken() == [Signal(SIGKILL, group=True)]


def test_fast_stop_overtakes_a_graceful_one(running: Run) -> None:
    running.do(Stop("asked"))
    running.do(Stop("asked again", fast=True), after_s=1)
    assert running.taken() == [Signal(SIGQUIT), Signal(SIGTERM)]
    running.do(Tick(), after_s=5)
    assert running.taken() == [Signal(SIGKILL, group=True)]


def test_asking_again_does_not_put_off_the_kill(running: Run) -> None:
    running.do(Stop("asked", fast=True))
    running.do(Stop("asked", fast=True), after_s=4)
    running.taken()
    running.do(Tick(), after_s=1)
    assert running.taken() == [Signal(SIGKILL, group=True)]


def test_a_graceful_stop_does_not_slow_a_fast_one(running: Run) -> None:
    running.do(Stop("asked", fast=True), Stop("asked"))
    assert running.taken() == [Signal(SIGTERM)]
    running.do(Tick(), after_s=5)
    assert running.taken() == [Signal(SIGKILL, group=True)]


@pytest.mark.parametrize("code", [0, 2, 3, -9])
def test_a_stopped_one_rests_whatever_its_exit_code(running: Run, code: int) -> None:
    assert running.do(Stop("asked"), Died(code)) is State.STOPPED


def test_restart_is_stop_and_start(running: Run) -> None:
    assert running.do(Stop("asked", again=True)) is State.STOPPING
    assert running.do(Died(0)) is State.STARTING
    assert running.taken() == [Signal(SIGQUIT), Spawn()]
    assert running.process.after is After.REST
    assert running.process.restarts == 0


def test_what_an_agent_began_goes_on_under_the_next(running: Run) -> None:
    running.do(Stop("asked", again=True, keeps=True))
    assert running.taken() == [Signal(SIGUSR2)]


def test_another_master_takes_its_place(running: Run) -> None:
    running.do(Died(1), Spawned(8), Ready())
    running.taken()
    assert running.do(Replaced(9, ("127.0.0.1:80",)), after_s=5) is State.RUNNING
    assert running.taken() == []
    process = running.process
    assert (process.pid, process.since, process.reason) == (9, running.now, "ready on 127.0.0.1:80")
    assert (process.restarts, process.quick) == (1, ())


def test_one_that_is_followed_does_not_wait(running: Run) -> None:
    """However often it died: there is a process already."""
    for pid in (8, 9, 10):
        running.do(Died(-9), Spawned(pid), Ready())
    running.taken()
    assert running.do(Died(-9, is_followed=True)) is State.STARTING
    assert running.taken() == [Spawn()]
    assert running.process.restarts == 4


@pytest.mark.parametrize(("code", "state"), [(0, State.EXITED), (2, State.FATAL)])
def test_one_that_does_not_want_to_go_on_is_not_followed(running: Run, code: int, state: State) -> None:
    assert running.do(Died(code, is_followed=True)) is state


def test_only_one_that_runs_can_be_replaced(run: Run) -> None:
    run.do(Start("asked"), Spawned(7))
    with pytest.raises(IllegalTransitionError, match="site was replaced in state STARTING"):
        run.do(Replaced(8))


def test_start_while_stopping_starts_afterwards_and_stop_takes_it_back(running: Run) -> None:
    running.do(Stop("asked"), Start("asked"))
    assert running.process.after is After.AGAIN
    assert running.do(Stop("asked"), Died(0)) is State.STOPPED


@pytest.mark.parametrize("rest", [Died(0), Died(2), Stop("asked")])
def test_restart_at_rest_is_start(run: Run, rest: Event) -> None:
    run.do(Start("asked"), Spawned(7), rest)
    if run.process.state is State.STOPPING:
        run.do(Died(0))
    assert run.do(Stop("asked", again=True)) is State.STARTING


@pytest.mark.parametrize("code", [0, 1, 2])
def test_stop_at_rest(run: Run, code: int) -> None:
    run.do(Start("asked"), Spawned(7), Died(code))
    assert run.do(Stop("asked")) is State.STOPPED
    assert run.do(Stop("asked")) is State.STOPPED
    assert next_deadline(run.process) is None


def test_broken_conf(run: Run) -> None:
    assert run.do(Broken("bad port", "mend it")) is State.FATAL
    assert (run.process.reason, run.process.fix) == ("bad port", "mend it")
    assert run.do(Start("corrected")) is State.STARTING


def test_a_broken_conf_does_not_stop_one_that_runs(running: Run) -> None:
    assert running.do(Broken("bad port", "mend it")) is State.RUNNING
    assert running.taken() == []


@pytest.mark.parametrize(("is_permanent", "state"), [(True, State.FATAL), (False, State.BACKOFF)])
def test_spawn_failed(run: Run, is_permanent: bool, state: State) -> None:
    assert run.do(Start("asked"), SpawnFailed("no python", is_permanent)) is state
    assert run.process.reason == "no python"


def test_death_without_a_process_is_our_fault(run: Run) -> None:
    with pytest.raises(IllegalTransitionError, match="STOPPED"):
        run.do(Died(0))


def test_ready_said_twice(running: Run) -> None:
    assert running.do(Ready()) is State.RUNNING
    assert "5000" in running.process.reason


def test_ready_while_stopping_is_too_late(running: Run) -> None:
    running.do(Stop("asked"))
    assert running.do(Ready()) is State.STOPPING


def test_every_walk_stays_legal() -> None:
    """Every sequence of four events from a start: only a death without a process may be refused."""
    kinds: list[Event] = [
        Start("s"),
        Ready(),
        Died(1),
        Died(0),
        Stop("q"),
        Stop("f", fast=True),
        Stop("r", again=True),
        Broken("b", "f"),
        Tick(),
    ]
    walks: list[Run] = [Run()]
    for _ in range(4):
        walks = [walk for before in walks for kind in kinds for walk in [_after(before, kind)] if walk is not None]
    assert len(walks) > 1000
    assert {walk.process.state for walk in walks} == set(State)


def _after(before: Run, event: Event) -> Run | None:
    walk = Run()
    walk.now, walk.process = before.now, before.process
    if isinstance(event, Died) and walk.process.is_at_rest:
        with pytest.raises(IllegalTransitionError):
            walk.do(event)
        return None
    walk.do(event, after_s=61)
    if Spawn() in walk.taken():
        walk.do(Spawned(7))
    return walk


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exited with code 0 (clean)"),
        (7, "exited with code 7"),
        (-9, "killed by signal 9 (Killed)"),
        (2, "exited with code 2 (conf or command line is wrong)"),
    ],
)
def test_describe_exit(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_states_change_only_along_the_table() -> None:
    with pytest.raises(IllegalTransitionError, match="from STOPPED to RUNNING"):
        check_transition(State.STOPPED, State.RUNNING)
    assert check_transition(State.STOPPED, State.STARTING) is State.STARTING
