"""What becomes of a master when something happens: `step(process, event, now)` decides, nothing here performs.

`now` is seconds on a monotonic clock. The numbers are SPEC 3's restart policy: a master that had become ready starts
again at once, three times a minute; everything else waits, 5 s doubling to 600 s, until it has run well for a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from signal import SIGKILL, SIGQUIT, SIGTERM, SIGUSR2, Signals
from signal import strsignal as _strsignal

from skitaid.supervisor.states import AT_REST, IllegalTransitionError, State, check_transition

__all__ = [
    "Action",
    "After",
    "Broken",
    "Died",
    "Event",
    "Limits",
    "Process",
    "Ready",
    "Replaced",
    "Signal",
    "Spawn",
    "SpawnFailed",
    "Spawned",
    "Start",
    "Stop",
    "Tick",
    "describe_exit",
    "next_deadline",
    "step",
]

BACKOFF_FIRST_S = 5.0
BACKOFF_MOST_S = 600.0
GOOD_RUN_S = 60.0
QUICK_RESTARTS = 3
QUICK_WINDOW_S = 60.0
KILL_AFTER_S = 5.0
EXIT_CONF_WRONG = 2
EXIT_RESTART = 3


class After(Enum):
    """What follows once a STOPPING master is gone."""

    REST = "rest"
    AGAIN = "again"
    BACK_OFF = "back off"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: how long a start may take, and how long a graceful stop."""

    start_timeout_s: float = 60.0
    grace_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Escalation:
    """At `at` the master gets `signal`; SIGKILL goes to its whole process group."""

    at: float
    signal: Signals


@dataclass(frozen=True, slots=True)
class Process:
    """One instance's master. `since` is when `state` began, `deadline` the next moment at which a Tick has something
    to do. `reason` says why it is in this state, `fix` what a person may do about it."""

    name: str
    state: State = State.STOPPED
    since: float = 0.0
    pid: int | None = None
    limits: Limits = Limits()
    deadline: float | None = None
    backoff_s: float = BACKOFF_FIRST_S
    quick: tuple[float, ...] = ()
    escalation: tuple[Escalation, ...] = ()
    after: After = After.REST
    restarts: int = 0
    reason: str = ""
    fix: str = ""

    @property
    def is_at_rest(self) -> bool:
        return self.state in AT_REST


# ---------------------------------------------------------------- what can happen


@dataclass(frozen=True, slots=True)
class Start:
    """Run it; no effect on one that runs."""

    reason: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """The process is there, not ready yet."""

    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """No process could be made. `is_permanent`: trying again changes nothing (no such interpreter)."""

    reason: str
    is_permanent: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """The master listens, and every worker is up."""

    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another master, which is ready, has taken the place of this one."""

    pid: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Died:
    """The master is gone: its exit code, or minus the number of the signal that ended it. `is_followed`: another one,
    which was to take its place, is starting."""

    code: int
    is_followed: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End it. `fast`: without waiting for what is in flight. `again`: and start it anew. `keeps`: what it has begun
    goes on under the next one (agents)."""

    reason: str
    fast: bool = False
    again: bool = False
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The conf file is wrong, so there is nothing to start."""

    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Start | Spawned | SpawnFailed | Ready | Replaced | Died | Stop | Broken | Tick

# ---------------------------------------------------------------- what is to be done


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the process. `group`: to every process of the master's group."""

    signal: Signals
    group: bool = False


Action = Spawn | Signal
Step = tuple[Process, tuple[Action, ...]]


def step(process: Process, event: Event, now: float) -> Step:
    """The process after `event`, and what must be done. Raises IllegalTransitionError for an event that cannot
    happen in its state: a fault of the caller's."""
    match event:
        case Start():
            return _start(process, event, now)
        case Spawned(pid):
            return replace(process, pid=pid), ()
        case SpawnFailed():
            return _spawn_failed(process, event, now)
        case Ready(addresses):
            return _ready(process, addresses, now)
        case Replaced(pid, addresses):
            return _replaced(process, pid, addresses, now)
        case Died():
            return _died(process, event, now)
        case Stop():
            return _stop(process, event, now)
        case Broken(reason, fix):
            return _broken(process, reason, fix, now)
        case Tick():
            return _tick(process, now)


def next_deadline(process: Process) -> float | None:
    """When the next Tick is due at the latest."""
    return process.escalation[0].at if process.escalation else process.deadline


def _to(process: Process, state: State, now: float, *, reason: str, fix: str = "") -> Process:
    return replace(
        process,
        state=check_transition(process.state, state),
        since=now,
        deadline=None,
        escalation=(),
        reason=reason,
        fix=fix,
    )


def _start(process: Process, event: Start, now: float) -> Step:
    if process.state is State.STOPPING:
        return replace(process, after=After.AGAIN), ()
    if not process.is_at_rest:
        return process, ()
    asked = replace(process, backoff_s=BACKOFF_FIRST_S, quick=())
    return _spawn(asked, now, event.reason)


def _spawn(process: Process, now: float, reason: str) -> Step:
    starting = _to(process, State.STARTING, now, reason=reason)
    return replace(starting, pid=None, deadline=now + process.limits.start_timeout_s, after=After.REST), (Spawn(),)


def _spawn_failed(process: Process, event: SpawnFailed, now: float) -> Step:
    if event.is_permanent:
        return _to(process, State.FATAL, now, reason=event.reason, fix="correct the conf file, or start it again"), ()
    return _back_off(process, now, event.reason)


def _ready(process: Process, addresses: tuple[str, ...], now: float) -> Step:
    if process.state is not State.STARTING:
        return process, ()  # told to stop in the meantime
    return _to(process, State.RUNNING, now, reason=_ready_on(addresses)), ()


def _replaced(process: Process, pid: int, addresses: tuple[str, ...], now: float) -> Step:
    """Asked for by a person, so it counts as a first start."""
    if process.state is not State.RUNNING:
        raise IllegalTransitionError(f"a master of {process.name} was replaced in state {process.state.name}")
    fresh = replace(process, pid=pid, backoff_s=BACKOFF_FIRST_S, quick=())
    return _to(fresh, State.RUNNING, now, reason=_ready_on(addresses)), ()


def _ready_on(addresses: tuple[str, ...]) -> str:
    return f"ready on {', '.join(addresses)}" if addresses else "ready"


def _died(process: Process, event: Died, now: float) -> Step:
    if process.is_at_rest:
        raise IllegalTransitionError(f"{process.name} died in state {process.state.name}, where it has no process")
    gone = replace(process, pid=None)
    if process.state is State.STOPPING:
        return _stopped(gone, now)
    code, how = event.code, describe_exit(event.code)
    if code == 0:
        return _to(gone, State.EXITED, now, reason=how, fix=f"-f {process.name} start runs it again"), ()
    if code == EXIT_CONF_WRONG:
        return _to(
            gone,
            State.FATAL,
            now,
            reason=how,
            fix="its stderr.log says what is wrong; it starts when the conf file is corrected",
        ), ()
    if event.is_followed and process.state is State.RUNNING:
        return _spawn(replace(gone, restarts=gone.restarts + 1), now, how)
    return _crashed(gone, code, now, how)


def _stopped(process: Process, now: float) -> Step:
    if process.after is After.AGAIN:
        return _spawn(process, now, process.reason)
    if process.after is After.BACK_OFF:
        return _back_off(process, now, process.reason)
    return _to(process, State.STOPPED, now, reason=process.reason, fix=f"-f {process.name} start runs it again"), ()


def _crashed(process: Process, code: int, now: float, how: str) -> Step:
    if process.state is not State.RUNNING:
        return _back_off(process, now, f"{how} before it was ready")
    if now - process.since >= GOOD_RUN_S:
        process = replace(process, backoff_s=BACKOFF_FIRST_S)
    recent = tuple(at for at in process.quick if now - at < QUICK_WINDOW_S)
    again = replace(process, restarts=process.restarts + 1, quick=(*recent, now))
    if code == EXIT_RESTART:
        return _spawn(replace(again, quick=recent), now, how)
    if len(recent) < QUICK_RESTARTS:
        return _spawn(again, now, how)
    return _back_off(process, now, f"{how}, the {len(recent) + 1}th time within {QUICK_WINDOW_S:.0f} s")


def _back_off(process: Process, now: float, reason: str) -> Step:
    delay = process.backoff_s
    waiting = _to(
        process,
        State.BACKOFF,
        now,
        reason=reason,
        fix=f"next try in {delay:.0f} s; its stderr.log and server.log say why",
    )
    return replace(waiting, deadline=now + delay, backoff_s=min(BACKOFF_MOST_S, delay * 2)), ()


def _stop(process: Process, event: Stop, now: float) -> Step:
    after = After.AGAIN if event.again else After.REST
    if process.is_at_rest:
        return _stop_at_rest(process, event, now)
    if process.state is State.STOPPING and not event.fast:
        return replace(process, after=after), ()  # on its way: only what follows may differ
    return _begin_stop(process, event, after, now)


def _stop_at_rest(process: Process, event: Stop, now: float) -> Step:
    if event.again:
        return _spawn(replace(process, backoff_s=BACKOFF_FIRST_S, quick=()), now, event.reason)
    if process.state is State.STOPPED:
        return process, ()
    return _to(process, State.STOPPED, now, reason=event.reason, fix=f"-f {process.name} start runs it again"), ()


def _begin_stop(process: Process, event: Stop, after: After, now: float) -> Step:
    first = SIGTERM if event.fast else SIGUSR2 if event.keeps else SIGQUIT
    term_at = now if event.fast else now + process.limits.grace_s
    kill_at = min([term_at + KILL_AFTER_S, *(each.at for each in process.escalation if each.signal is SIGKILL)])
    steps = [] if event.fast else [Escalation(term_at, SIGTERM)]
    steps.append(Escalation(kill_at, SIGKILL))
    if process.state is not State.STOPPING:
        process = _to(process, State.STOPPING, now, reason=event.reason)
    return replace(process, escalation=tuple(steps), after=after), (Signal(first),)


def _broken(process: Process, reason: str, fix: str, now: float) -> Step:
    if process.is_at_rest:
        return _to(process, State.FATAL, now, reason=reason, fix=fix), ()
    return process, ()  # a bad file never stops a running instance


def _tick(process: Process, now: float) -> Step:
    due = next_deadline(process)
    if due is None or now < due:
        return process, ()
    if process.state is State.BACKOFF:
        return _spawn(replace(process, restarts=process.restarts + 1), now, "trying again")
    if process.state is State.STARTING:
        return _too_slow(process, now)
    escalated = process.escalation[0].signal
    return replace(process, escalation=process.escalation[1:]), (Signal(escalated, group=escalated is SIGKILL),)


def _too_slow(process: Process, now: float) -> Step:
    reason = f"not ready within {process.limits.start_timeout_s:.0f} s (start_timeout)"
    stopping = _to(process, State.STOPPING, now, reason=reason)
    return replace(stopping, after=After.BACK_OFF), (Signal(SIGKILL, group=True),)


def describe_exit(code: int) -> str:
    """An exit code, or minus a signal number, in words."""
    if code < 0:
        return f"killed by signal {-code} ({_strsignal(-code) or 'unknown'})"
    meaning = {0: "clean", EXIT_CONF_WRONG: "conf or command line is wrong", EXIT_RESTART: "restart now"}
    return f"exited with code {code}" + (f" ({meaning[code]})" if code in meaning else "")
