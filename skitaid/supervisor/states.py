"""The states of an instance's master and the ways from one to another. Standard library only."""

from __future__ import annotations

from enum import Enum

__all__ = ["AT_REST", "IllegalTransitionError", "State", "check_transition"]


class State(Enum):
    """STOPPED: on request. STARTING: running, not ready yet. RUNNING: ready. BACKOFF: failed, waits for its next try.
    STOPPING: told to stop. EXITED: ended by itself with code 0. FATAL: cannot run until a person acts."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    EXITED = "exited"
    FATAL = "fatal"


AT_REST = frozenset({State.STOPPED, State.EXITED, State.FATAL, State.BACKOFF})
"""States without a process."""

_TRANSITIONS: dict[State, frozenset[State]] = {
    State.STOPPED: frozenset({State.STARTING, State.FATAL}),
    State.STARTING: frozenset(
        {State.RUNNING, State.STARTING, State.BACKOFF, State.STOPPING, State.EXITED, State.FATAL}
    ),
    State.RUNNING: frozenset({State.RUNNING, State.STARTING, State.BACKOFF, State.STOPPING, State.EXITED, State.FATAL}),
    State.BACKOFF: frozenset({State.STARTING, State.STOPPED, State.FATAL}),
    State.STOPPING: frozenset({State.STOPPED, State.STARTING, State.BACKOFF}),
    State.EXITED: frozenset({State.STARTING, State.STOPPED, State.FATAL}),
    State.FATAL: frozenset({State.STARTING, State.STOPPED, State.FATAL}),
}


class IllegalTransitionError(AssertionError):
    """We are wrong: an event was applied in a state where it cannot happen."""


def check_transition(old: State, new: State) -> State:
    """`new`, if a process in state `old` may go there; raises IllegalTransitionError."""
    if new not in _TRANSITIONS[old]:
        raise IllegalTransitionError(f"a process cannot go from {old.name} to {new.name}")
    return new
