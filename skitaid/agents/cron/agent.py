"""The cron agent: keeps the crontabs of all confs, and begins the jobs that are due.

A job runs in a process of its own (`runner`), which outlives the agent. What was begun is written down before
(`records`), so an agent that was killed begins nothing twice; the one that follows it begins what came due in between,
if it was gone for less than five minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGCHLD, SIGINT, SIGKILL, SIGTERM, pthread_sigmask
from typing import Final

from skitaid.agents.arguments import Arguments
from skitaid.agents.cron import tree
from skitaid.agents.cron.mail import send_mail
from skitaid.agents.cron.records import Due, Records, boot_id
from skitaid.agents.cron.runner import KILL_AFTER_S, NOT_RUN, Occasion, Runner, Surroundings
from skitaid.agents.cron.timetable import LATE, Plan, Timetable
from skitaid.agents.cron.work import JOB_NAME, Work, collect, of_instance
from skitaid.agents.cron.zones import zone_of
from skitaid.agents.frame import Agent, Frame, Stop, run_agent
from skitaid.config.model import Main
from skitaid.exceptions import ConfError, RefusedError
from skitaid.logs.lines import LogFile
from skitaid.supervisor.confs import Confs, Reading
from skitaid.supervisor.title import set_title

__all__ = ["CronAgent", "run"]

ALIVE_EVERY_S: Final = 30.0
PREDECESSOR_S: Final = 2.0
LEAVE_AFTER_S: Final = 4.5
"""After a fast stop: runners end their jobs within that time (`runner.KILL_AFTER_S`), and the supervisor waits 5 s."""
NEVER: Final = float("inf")
OUR_SIGNALS: Final = (SIGTERM, SIGINT, SIGCHLD)
"""Those that a runner listens to."""


def run(arguments: Arguments) -> int:
    """Run until told to stop; the exit code."""
    return run_agent(arguments, CronAgent)


class _Complaints:
    """What is wrong with the folder of confs."""

    def __init__(self, log: LogFile) -> None:
        self._log = log

    def error(self, text: str) -> None:
        self._log.write("error", text)


@dataclass(frozen=True, slots=True)
class Running:
    """A runner. `is_child`: ours to reap; else an agent before us began it."""

    key: str
    is_child: bool


class CronAgent(Agent):
    """Begins the jobs of all crontabs when they are due. `clock` gives seconds since the epoch."""

    def __init__(self, frame: Frame, main: Main, clock: Callable[[], float] = time.time) -> None:
        self._frame = frame
        self._clock = clock
        self._log = frame.log
        self._main = main
        self._records = Records(frame.arguments.var_path(main.global_))
        self._confs = Confs(frame.arguments.etc, _Complaints(self._log))
        self._timetable = Timetable(clock())
        self._works: dict[str, Work] = {}
        self._running: dict[int, Running] = {}
        self._rests: dict[int, float] = {}
        """Process groups that lost their runner, and when they are killed."""
        self._boot = boot_id()
        self._lock_fd: int | None = None
        self._is_stopping = False
        self._is_noted = False
        self._leave_at = NEVER
        self._look_at = 0.0
        self._alive_at = 0.0

    # ------------------------------------------------------------ what the frame calls

    def begin(self) -> None:
        self._records.make()
        self._lock_fd = self._hold()
        known, alive = self._records.known()
        reading = self._confs.read()
        self._main = reading.main
        self._works = self._collect(reading)
        self._timetable.replace(self._plans(), self._seen(known, alive, self._clock()))
        self._find_strays()
        self._begin_reboot_jobs()
        self._tell()

    def turn(self) -> float:
        now = time.monotonic()
        if self._is_stopping:
            self._wait_for_runners(now)
            return 0.1
        if now >= self._look_at:
            self._look_at = now + 1.0
            self._hold_again()
            self._look_at_confs()
            self._forget_strays()
            self._kill_rests(now)
        for key, at in self._timetable.tick(self._clock()):
            self._begin(self._works[key], Due(at))
        self._note_known()
        self._keep_alive(now)
        self._tell()
        return max(0.0, min(1.0, self._timetable.wake_at - self._clock()))

    def reload(self) -> None:
        self._confs.take()
        self._take(self._confs.read())

    def stop(self, how: Stop) -> None:
        if how in (Stop.ORPHANED, Stop.REPLACED):
            self.is_over = True  # the next one looks after the runners
            return
        self._is_stopping = True
        if how is Stop.FAST:
            self._leave_at = min(self._leave_at, time.monotonic() + LEAVE_AFTER_S)
            for pid in self._running:
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGTERM)
        elif self._running:
            names = ", ".join(sorted({running.key for running in self._running.values()}))
            self._log.write("info", f"waits for jobs that run: {names}")

    def child_ended(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                running = self._running.pop(pid, None)
                code = os.waitstatus_to_exitcode(status)
                if running is not None and code < 0:
                    self._log.write("error", f"its runner, pid {pid}, was killed by signal {-code}", running.key)
                    self._end_rest(running.key)

    def close(self) -> None:
        if self._lock_fd is not None:
            if self._is_noted:
                self._note_alive()
            os.close(self._lock_fd)
            self._lock_fd = None

    # ------------------------------------------------------------ the beginning

    def _hold(self) -> int:
        """Our predecessor may be on its way out. Raises RefusedError."""
        until = time.monotonic() + PREDECESSOR_S
        while True:
            try:
                return self._records.hold()
            except RefusedError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.05)

    def _hold_again(self) -> None:
        """Somebody may have removed the lock's file, or the whole folder."""
        if self._lock_fd is None or self._records.is_held(self._lock_fd):
            return
        try:
            fresh = self._records.hold()
        except (RefusedError, OSError) as error:
            self._log.write("error", f"its lock was removed, and cannot be made anew: {error}")
            self.is_over = isinstance(error, RefusedError)  # two agents would run everything twice
            return
        os.close(self._lock_fd)
        self._lock_fd, self._is_noted = fresh, False
        self._log.write("warn", f"somebody removed files of {self._records.folder}: they are made anew")

    def _seen(self, known: dict[str, str], alive: float, now: float) -> dict[str, float]:
        """Up to when jobs that were known before are done with: an agent that was away for a moment misses nothing,
        and begins nothing again."""
        found = {}
        for key, work in self._works.items():
            last = self._records.due(key).at
            is_back = 0 <= now - alive < LATE.total_seconds() and known.get(key) == _times(work)
            seen = max(alive, last) if is_back else last
            if now - LATE.total_seconds() < seen:
                found[key] = seen
        return found

    def _find_strays(self) -> None:
        """Jobs that an agent before us began, and that still run."""
        for key in self._works:
            last = self._records.last(key)
            if last is not None and last.ended is None and self._records.runs(key):
                self._running[last.pid] = Running(key, is_child=False)
                self._log.write("info", f"still runs, begun by the agent before this one (runner {last.pid})", key)
            else:
                self._end_rest(key)

    def _forget_strays(self) -> None:
        for pid, running in list(self._running.items()):
            if not running.is_child and not self._records.runs(running.key):
                del self._running[pid]
                self._end_rest(running.key)

    def _end_rest(self, key: str) -> None:
        """A job without its runner has nobody who logs it, limits it, or keeps it from being begun a second time."""
        last = self._records.last(key)
        if last is None or last.ended is not None or self._records.runs(key):
            return
        if last.group and tree.is_marked(last.group, f"{JOB_NAME}={key}"):
            self._log.write("warn", f"its runner is gone: its process group {last.group} is ended", key)
            tree.end_group(last.group, SIGTERM)
            self._rests[last.group] = time.monotonic() + KILL_AFTER_S

    def _kill_rests(self, now: float) -> None:
        for group in [group for group, at in self._rests.items() if at <= now]:
            tree.end_group(group, SIGKILL)
            del self._rests[group]

    def _begin_reboot_jobs(self) -> None:
        """Once after each start of the machine, however often the agent starts."""
        for key, work in self._works.items():
            if work.job.expression is None and self._records.due(key).boot != self._boot:
                self._begin(work, Due(self._clock(), self._boot))

    # ------------------------------------------------------------ conf

    def _look_at_confs(self) -> None:
        is_main_changed = self._confs.main_changed()
        if self._confs.changes().is_idle and not is_main_changed:
            return
        try:
            self._take(self._confs.read())
        except ConfError as error:
            self._log.write("error", f"skitaid.conf is wrong, the jobs stay as they are: {error}")

    def _take(self, reading: Reading) -> None:
        """The jobs from now on. A @reboot job that is new waits for the next start of the machine."""
        before, self._works = self._works, self._collect(reading)
        self._main = reading.main
        self._timetable.replace(self._plans(), {})
        for key in self._works.keys() - before.keys():
            if self._works[key].job.expression is None:
                self._note_due(self._works[key], Due(self._clock(), self._boot))
        if self._works != before:
            self._log.write("info", f"the crontabs were read again: {len(self._works)} jobs")
            self._is_noted = False

    def _collect(self, reading: Reading) -> dict[str, Work]:
        """An instance whose file is wrong keeps the jobs that it had."""
        instances = [verdict.instance for verdict in reading.verdicts.values() if verdict.instance is not None]
        broken = {name for name, verdict in reading.verdicts.items() if verdict.instance is None}
        kept = {key: work for key, work in self._works.items() if work.owner in broken}
        return {
            **collect(reading.main, ()),
            **kept,
            **{work.key: work for instance in instances for work in of_instance(instance, reading.main)},
        }

    def _plans(self) -> dict[str, Plan]:
        return {
            key: Plan(work.job.expression, zone_of(work.job.zone))
            for key, work in self._works.items()
            if work.job.expression is not None
        }

    def _note_known(self) -> None:
        """Once the jobs that came due until now are begun: whoever is killed before begins them when it is back."""
        if self._is_noted:
            return
        self._is_noted = True
        try:
            self._records.note_known({key: _times(work) for key, work in self._works.items()}, self._timetable.looked)
        except OSError as error:
            self._log.write("warn", f"cannot write to {self._records.folder}: {error}")

    def _keep_alive(self, now: float) -> None:
        if now < self._alive_at:
            return
        self._alive_at = now + ALIVE_EVERY_S
        self._note_alive()
        self._timetable.replace(self._plans(), {})  # the machine's time zone may be another by now

    def _note_alive(self) -> None:
        with suppress(OSError):
            self._records.note_alive(self._timetable.looked)

    # ------------------------------------------------------------ jobs

    def _begin(self, work: Work, due: Due) -> None:
        self._note_due(work, due)
        try:
            lock_fd = self._records.take(work.key, shared=work.job.may_overlap)
        except OSError as error:
            self._log.write("error", f"not run: cannot mark it as running: {error}", work.key)
            return
        if lock_fd is None:
            self._log.write("warn", "not run: it still runs since the last time (OVERLAP=yes would run it)", work.key)
            return
        mask = pthread_sigmask(SIG_BLOCK, OUR_SIGNALS)  # until it is its own: what a runner is told must not be lost
        try:
            pid = os.fork()
            if not pid:
                self._be_runner(work, due)
        except OSError as error:
            self._log.write("error", f"not run: no process can be made: {error}", work.key)
        else:
            self._running[pid] = Running(work.key, is_child=True)
        finally:
            pthread_sigmask(SIG_SETMASK, mask)
            os.close(lock_fd)

    def _be_runner(self, work: Work, due: Due) -> None:
        """In the forked process, which does not come back."""
        code = 1
        try:
            os.setsid()
            self._frame.leave_in_child()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
            set_title(f"cron job {work.key}")
            around = Surroundings(self._records, self._log, self._main.state.backend, send_mail=send_mail)
            runner = Runner(work, around)
            pthread_sigmask(SIG_UNBLOCK, OUR_SIGNALS)
            result = runner.run(Occasion(due.at))
            code = 0 if result.is_well or result.code == NOT_RUN else 1
        except BaseException:  # noqa: BLE001  (the root of a process)
            self._log.write_traceback(work.key)
        finally:
            os._exit(code)

    def _note_due(self, work: Work, due: Due) -> None:
        try:
            self._records.note_due(work.key, due)
        except OSError as error:
            self._log.write("warn", f"cannot write down that it was begun: {error}", work.key)
            self._note_alive()  # takes no room: by that, too, it is known that it was begun

    # ------------------------------------------------------------ the end

    def _wait_for_runners(self, now: float) -> None:
        self._forget_strays()
        self._kill_rests(now)
        self.is_over = not (self._running or self._rests) or now >= self._leave_at

    # ------------------------------------------------------------ telling

    def _tell(self) -> None:
        """Say in `status` what there is to do, and what comes next."""
        count = len(self._works)
        parts = [f"{count} job" + ("" if count == 1 else "s")]
        if self._running:
            parts.append(f"{len(self._running)} running")
        following = min(
            ((at, key) for key in self._works if (at := self._timetable.next_at(key)) is not None), default=None
        )
        if following is not None:
            parts.append(f"next {following[1]} at {time.strftime('%Y-%m-%d %H:%M', time.localtime(following[0]))}")
        self._frame.tell(", ".join(parts))


def _times(work: Work) -> str:
    """What tells whether a job is still the same, as far as its times go."""
    return f"{work.job.when} {work.job.zone or Path('/etc/localtime')}"
