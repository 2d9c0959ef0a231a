"""The process of an agent: its log, its signals, its parent, and a loop that asks the agent what is due.

An agent is an `Agent`; `run_agent` makes it and runs it until it is over. One thread, no asyncio, no logging module: an
agent is resident and mostly idle. Exit codes as of a master: 0 asked to stop, 1 it cannot go on, 2 the conf is wrong.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from enum import Enum
from signal import SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, Signals

from skitaid.agents.arguments import Arguments
from skitaid.config.load import load_main
from skitaid.config.model import Main
from skitaid.exceptions import ConfError, SkitaidError
from skitaid.logs.lines import LogFile
from skitaid.supervisor import lifeline, report
from skitaid.supervisor.loop import Loop, SignalPipe
from skitaid.supervisor.title import set_title

__all__ = ["Agent", "Frame", "Stop", "run_agent"]

LOOK_EVERY_S = 1.0
PAUSE_AFTER_FAILURE_S = 0.2
EXIT_CANNOT = 1
EXIT_WRONG = 2


class Stop(Enum):
    """GRACEFUL: finish what is under way. FAST: do not wait for it. ORPHANED: the supervisor is gone; another one will
    start another agent at any moment. REPLACED: another agent begins when this one has ended."""

    GRACEFUL = "graceful"
    FAST = "fast"
    ORPHANED = "orphaned"
    REPLACED = "replaced"


_HOW = {SIGQUIT: Stop.GRACEFUL, SIGUSR2: Stop.REPLACED}


class Agent:
    """What an agent does. Nothing here may block for long but `turn`'s own work."""

    is_over = False
    """Set when there is nothing left to do after `stop`: the process ends."""

    def begin(self) -> None:
        """Get ready; the supervisor is told so afterwards. Raises SkitaidError when it cannot be, ConfError when the
        conf is wrong."""

    def turn(self) -> float:
        """Do what is due. The seconds after which there may be more; it is called at least once a second."""
        return LOOK_EVERY_S

    def reload(self) -> None:
        """Read the conf again. Raises SkitaidError: it goes on with the old."""

    def stop(self, how: Stop) -> None:
        """End, in this manner. May be called again, in a more urgent one."""
        self.is_over = True

    def child_ended(self) -> None:
        """SIGCHLD: children are the agent's to reap."""

    def close(self) -> None:
        """The process ends: let go of what is held. Nothing is called after this."""


class Frame:
    """What an agent has of its process: `log`, `watch` and `forget` for descriptors, `tell` for `status`."""

    def __init__(self, arguments: Arguments, main: Main) -> None:
        self.arguments = arguments
        self.log = LogFile(arguments.log_path(main.global_), echo=arguments.is_verbose)
        self._loop = Loop()
        self._signals = SignalPipe((SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD))
        self._parent = lifeline.inherited()
        self._reporter = report.inherited()
        self._note = ""
        self._look_at = 0.0
        self._agent: Agent

    def watch(self, fd: int, callback: Callable[[int], None], *, read: bool = True, write: bool = False) -> None:
        """See `Loop.watch`."""
        self._loop.watch(fd, callback, read=read, write=write)

    def forget(self, fd: int) -> None:
        self._loop.forget(fd)

    def tell(self, note: str, **counts: int) -> None:
        """One line that `status` shows, and numbers for `status --json`. Not for more than one change a second."""
        if note != self._note:
            self._note = note
            self._reporter.note(note, counts)

    def leave_in_child(self) -> None:
        """In a forked child that goes its own way: signals as they were, nobody's lifeline, no reports."""
        self._signals.abandon()
        self._reporter.close()
        if self._parent is not None:
            os.close(self._parent)
        self._loop.close()

    def run(self, agent: Agent) -> int:
        """Have `agent` begin, and ask it turn after turn until it is over; the exit code of the process."""
        self._agent = agent
        self._loop.watch(self._signals.fd, lambda events: self._signalled())
        if self._parent is not None:
            self._loop.watch(self._parent, lambda events: self._orphaned())
        try:
            agent.begin()
        except ConfError as error:
            return self._give_up(error, EXIT_WRONG)
        except (SkitaidError, OSError) as error:
            return self._give_up(error, EXIT_CANNOT)
        self.log.write("info", f"{self.arguments.name} is ready, pid {os.getpid()}")
        self._reporter.ready(())
        while not agent.is_over:
            self._turn_safely()
        self._reporter.stopping()
        agent.close()
        self.log.write("info", f"{self.arguments.name} has stopped")
        return 0

    def _give_up(self, error: Exception, code: int) -> int:
        self.log.write("fatal", f"cannot start: {error}")
        print(f"{self.arguments.name}: {error}", file=sys.stderr)
        self._agent.close()
        return code

    def _turn_safely(self) -> None:
        try:
            self._turn()
        except Exception:  # noqa: BLE001  (the root of the process: a fault of ours must not end the service)
            self.log.write_traceback()
            time.sleep(PAUSE_AFTER_FAILURE_S)

    def _turn(self) -> None:
        wait_s = self._agent.turn()
        now = time.monotonic()
        self._loop.turn(min(wait_s, max(0.0, self._look_at - now)))
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            self.log.reopen_if_moved()
            self.log.rotate_daily()

    def _orphaned(self) -> None:
        if self._parent is not None:
            self._loop.forget(self._parent)
        self.log.write("warn", "the supervisor is gone")
        self._agent.stop(Stop.ORPHANED)

    def _signalled(self) -> None:
        for number in self._signals.read():
            self._on_signal(number)

    def _on_signal(self, number: Signals) -> None:
        if number is SIGCHLD:
            self._agent.child_ended()
        elif number is SIGHUP:
            self._reload()
        elif number is SIGUSR1:
            if not self.log.reopen_if_moved():
                self.log.rotate()
        else:
            how = _HOW.get(number, Stop.FAST)
            self.log.write("info", f"stopping ({how.value}): {number.name} was received")
            self._agent.stop(how)

    def _reload(self) -> None:
        try:
            self._agent.reload()
        except (SkitaidError, OSError) as error:
            self.log.write("error", f"reload failed, it goes on as it was: {error}")
            self._reporter.reload_failed(str(error))
        else:
            self.log.write("info", "reloaded")
            self._reporter.reloaded()


def run_agent(arguments: Arguments, make: Callable[[Frame, Main], Agent]) -> int:
    """Run an agent to its end; the exit code. `make` gets the frame and skitaid.conf."""
    try:
        main = load_main(arguments.etc)
    except ConfError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG
    set_title(arguments.name)
    os.umask(0o022)
    frame = Frame(arguments, main)
    return frame.run(make(frame, main))
