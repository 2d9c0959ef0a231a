"""How a master makes workers, and hears from them: a fork, a pipe, and what each side keeps of what they share."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass, field

from skitaid.instance.arguments import Conf
from skitaid.instance.at_fork import reset_signals
from skitaid.instance.folders import Folders
from skitaid.instance.messages import MessageReader, WorkerMessage
from skitaid.instance.sockets import Sockets
from skitaid.instance.worker import WorkerTask, leave, run_worker
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.report import Reporter
from skitaid.supervisor.scoreboard import Scoreboard
from skitaid.was.state_table import StateTable

__all__ = ["Assignment", "Forker", "Resources"]

FAILED = 1


@dataclass(slots=True)
class Resources:
    """What a master has and its workers inherit: the sockets of its conf, its slot of the board, the read end of the
    lifeline, the logs, and `states`, what workers share by name. `reporter` and `private_fds` are the master's alone
    and closed in a worker. `first_environment`: the names that [environment] had when the master was started with
    them."""

    folders: Folders
    sockets: Sockets
    board: Scoreboard
    lifeline: Lifeline
    reporter: Reporter
    states: StateTable
    private_fds: list[int] = field(default_factory=list)
    first_environment: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is forked for: its number, and its place on the board. `broken_before`: see `handover.Incoming`."""

    conf: Conf
    index: int
    slot: int
    broken_before: tuple[str, ...] | None = None


class Forker:
    """Forks workers and reads what they say; registers their pipes in `poll`."""

    def __init__(self, resources: Resources, poll: select.poll) -> None:
        self._resources = resources
        self._poll = poll
        self._pipes: dict[int, tuple[int, MessageReader]] = {}

    def fork(self, assignment: Assignment) -> int:
        """A new worker's pid. In the child it does not return. Raises OSError."""
        read_fd, write_fd = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(read_fd)
            os.close(write_fd)
            raise
        if pid == 0:
            self._be_worker(assignment, (read_fd, write_fd))
        os.close(write_fd)
        self._pipes[read_fd] = (pid, MessageReader())
        self._poll.register(read_fd, select.POLLIN)
        return pid

    def hear(self, fd: int) -> tuple[int, list[WorkerMessage]]:
        """The pid of the worker that has `fd`, and what it said. An ended pipe says nothing and is forgotten."""
        pid, reader = self._pipes[fd]
        data = os.read(fd, 65536)
        if not data:
            self._poll.unregister(fd)
            del self._pipes[fd]
            os.close(fd)
        return pid, reader.feed(data)

    def _be_worker(self, assignment: Assignment, pipe: tuple[int, int]) -> None:
        """In the child: serve, and end the process."""
        code = FAILED
        try:
            reset_signals()
            code = run_worker(self._task(assignment, pipe))
        except BaseException:  # noqa: BLE001  (the root of a process)
            self._resources.folders.logbook.server.write_traceback(f"worker #{assignment.index}")
        finally:
            leave(code)

    def _task(self, assignment: Assignment, pipe: tuple[int, int]) -> WorkerTask:
        """Let go of what is the master's, and take over what is the worker's."""
        resources = self._resources
        read_fd, write_fd = pipe
        resources.reporter.close()
        for fd in (read_fd, *self._pipes, *resources.private_fds):
            os.close(fd)
        instance = assignment.conf.instance
        return WorkerTask(
            conf=assignment.conf,
            index=assignment.index,
            slot=resources.board.slot(assignment.slot),
            sockets=resources.sockets.take(instance.server.listen),
            logbook=resources.folders.logbook,
            pipe_fd=write_fd,
            lifeline_fd=resources.lifeline.keep_read_end(),
            states=resources.states,
            unset=tuple(resources.first_environment.difference(name for name, _ in instance.environment)),
            broken_before=assignment.broken_before,
        )
