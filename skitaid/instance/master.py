"""The master of an instance: holds the sockets and the logs, forks workers, replaces those that die, and swaps
generations on a reload. One thread, no event loop, and never an app's code.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from skitaid.exceptions import ConfError, SkitaidError
from skitaid.instance.acquisition import acquire
from skitaid.instance.arguments import Arguments, Conf, parse
from skitaid.instance.folders import Folders, FoldersError
from skitaid.instance.forking import Assignment, Forker, Resources
from skitaid.instance.handover import Incoming, Verdict, judge
from skitaid.instance.inheritance import Inheritance
from skitaid.instance.limits import raise_descriptor_limit
from skitaid.instance.lock import InstanceLock
from skitaid.instance.messages import Kind, WorkerMessage
from skitaid.instance.quiesce import Quiesce
from skitaid.instance.reload_watch import ReloadWatch
from skitaid.instance.sockets import BindError, Sockets
from skitaid.instance.succession import Succession
from skitaid.instance.worker_monitor import WorkerMonitor, no_process, stop_patience_s
from skitaid.instance.worker_pool import Stage, Worker, WorkerPool
from skitaid.supervisor import lifeline, report, scoreboard
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.loop import SignalPipe
from skitaid.supervisor.succession import Order, Word
from skitaid.supervisor.title import set_title
from skitaid.was.state_table import StateTable

__all__ = ["Master", "main"]

TICK_S: Final = 1.0
FAST_STOP_S: Final = 4.0
DRAIN_S: Final = 300.0
"""How long a worker of an old generation may still serve the connections it has."""
_HANDLED: Final = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGCHLD,
)
EXIT_FAILED: Final = 1
EXIT_WRONG: Final = 2
"""The conf, or the command line."""


def main(argv: Sequence[str]) -> int:
    """Run a master until it ends; its exit code (see Master), 2 also for a wrong command line."""
    try:
        arguments = parse(argv, os.environ)
    except ValueError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return EXIT_WRONG
    return Master(arguments).run()


class _StartError(SkitaidError):
    """The first generation did not come up."""


class Master:
    """The process that holds an instance's sockets and workers. `run` gives the exit code: 0 asked to stop, 1 it could
    not start or go on, 2 the conf is wrong."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._sockets = Sockets()
        self._parent = lifeline.inherited()
        self._reporter = report.inherited()
        self._board = scoreboard.inherited()
        self._succession = Succession()
        self._pool = WorkerPool(self._board, self._fork)
        self._monitor = WorkerMonitor(self._pool, self._say)
        self._poll = select.poll()
        self._generations = count()
        self._incoming: Incoming | None = None
        self._reloads = ReloadWatch(self._say)
        self._quiesce: Quiesce | None = None
        self._is_stopping = False
        self._is_orphan = False
        self._is_ready = False
        self._next_tick = 0.0
        self._signals: SignalPipe
        self._conf: Conf
        self._lock: InstanceLock
        self._folders: Folders
        self._forker: Forker

    def run(self) -> int:
        """Serve until asked to stop."""
        self._signals = SignalPipe(_HANDLED)
        self._watch_fds()
        try:
            self._conf = self._arguments.load()
            self._folders = Folders(self._conf, is_verbose=self._arguments.is_verbose)
        except (ConfError, FoldersError) as error:
            print(error, file=sys.stderr)
            self._reporter.failed(str(error))
            return EXIT_WRONG if isinstance(error, ConfError) else EXIT_FAILED
        set_title(f"{self._conf.instance.name} master")
        try:
            return self._serve()
        except SkitaidError as error:
            self._say("fatal", str(error))
            self._reporter.failed(str(error))
        except Exception:  # noqa: BLE001  (the root of a process)
            self._folders.logbook.server.write_traceback("master")
        self._give_way()
        self._kill_all()
        return EXIT_FAILED

    # ------------------------------------------------------------ start

    def _serve(self) -> int:
        """Until the end; 0. Raises SkitaidError when it can't begin."""
        inheritance = self._succession.inherit()
        self._lock = acquire(self._conf, self._sockets, inheritance, lambda: self._is_unwanted)
        raise_descriptor_limit()
        self._forker = Forker(self._resources(), self._poll)
        self._monitor.follow(self._conf.instance)
        # What is loaded now is shared with the workers, as long as nobody writes to it: not even the collector.
        gc.collect()
        gc.disable()
        gc.freeze()
        self._begin_first()
        while self._pool.workers or not self._is_stopping:
            self._turn()
        self._say("info", "stopped")
        self._lock.release()
        self._end_offspring()
        return 0

    def _begin_first(self) -> None:
        server = self._conf.instance.server
        generation = next(self._generations)
        deadline = time.monotonic() + server.start_timeout_s
        self._incoming = Incoming(self._conf, generation, deadline, broken_before=self._broken_before)
        self._pool.promote(generation, server.processes)
        try:
            self._pool.start(generation, server.processes)
        except OSError as error:
            raise _StartError(f"cannot start: {no_process(error)}") from error
        self._reloads.follow(self._conf)

    def _resources(self) -> Resources:
        private_fds = [*self._signals.fds, self._lock.fd, *self._succession.fds]
        if self._parent is not None:
            private_fds.append(self._parent)
        first = frozenset(name for name, _ in self._conf.instance.environment)
        return Resources(
            self._folders, self._sockets, self._board, Lifeline.create(), self._reporter,
            private_fds=private_fds, first_environment=first, states=StateTable.create(),
        )  # fmt: skip

    @property
    def _is_unwanted(self) -> bool:
        return self._signals.is_there() or (self._parent is not None and lifeline.is_cut(self._parent))

    def _watch_fds(self) -> None:
        for fd in (self._signals.fd, self._parent, self._succession.fd):
            if fd is not None:
                self._poll.register(fd, select.POLLIN)

    # ------------------------------------------------------------ the loop

    def _turn(self) -> None:
        for fd, _ in self._poll.poll(self._patience_ms()):
            if fd == self._parent:
                self._parent_is_gone(fd)
            elif fd == self._succession.fd:
                for order in self._succession.hear(self._poll):
                    self._follow(order)
            elif fd != self._signals.fd:
                self._hear(fd)
        for number in self._signals.read():
            self._obey(number)
        now = time.monotonic()
        for worker, how in self._monitor.reap(now):
            self._lost(worker, how)
        if not self._is_stopping:
            self._look_after_generations(now)
        else:
            self._tell_relieved(now)
        self._monitor.kill_overdue(now)
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._tick(now)

    def _patience_ms(self) -> int:
        due = None if self._is_stopping else self._pool.next_due()
        told_by = None if self._quiesce is None else self._quiesce.told_by
        until = min(at for at in (self._next_tick, due, self._pool.next_kill(), told_by) if at is not None)
        return max(0, int((until - time.monotonic()) * 1000) + 1)

    def _obey(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            self._reloads.is_due = True
        elif number == signal.SIGUSR1:
            self._rotate()
        elif number == signal.SIGQUIT:
            self._stop(signal.SIGQUIT, stop_patience_s(self._conf.instance))
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop(signal.SIGTERM, FAST_STOP_S)

    def _tick(self, now: float) -> None:
        """Once a second: logs, stuck workers, files that are watched."""
        logbook = self._folders.logbook
        # Of two masters one rotates; and one on its way out would give new files to its own user.
        if self._is_ready and not self._is_stopping and logbook.rotate_daily():
            self._tell_workers(signal.SIGUSR1)
        elif not self._is_stopping:
            logbook.reopen_if_moved()
        self._monitor.tick(now)
        self._reloads.tick()

    def _rotate(self) -> None:
        self._folders.logbook.rotate()
        self._tell_workers(signal.SIGUSR1)
        self._say("info", "logs rotated")

    def _tell_workers(self, number: signal.Signals) -> None:
        for worker in self._pool.workers.values():
            if worker.stage is not Stage.STARTING:
                self._pool.signal(worker, number)

    # ------------------------------------------------------------ workers

    def _fork(self, index: int, slot: int, generation: int) -> int:
        incoming = self._incoming
        is_incoming = incoming is not None and incoming.generation == generation
        if incoming is not None and is_incoming:
            return self._forker.fork(Assignment(incoming.conf, index, slot, incoming.broken_before))
        return self._forker.fork(Assignment(self._conf, index, slot))

    def _hear(self, fd: int) -> None:
        pid, messages = self._forker.hear(fd)
        for message in messages:
            self._heed(pid, message)

    def _heed(self, pid: int, message: WorkerMessage) -> None:
        worker = self._pool.workers.get(pid)
        if worker is None:
            return
        if message.kind is Kind.READY:
            self._pool.ready(pid, message.failed, time.monotonic())
            for text in message.failed:
                self._say("error", f"this app is not served: {text}")
            self._reloads.await_correction(message.files)
        elif message.kind is Kind.CLOSED:
            if self._quiesce is not None:
                self._quiesce.closed(pid)
        elif message.kind is Kind.SHUTDOWN:
            self._say("info", "an app asks for a shutdown")
            self._stop(signal.SIGQUIT, stop_patience_s(self._conf.instance))
        elif worker.generation == self._newest_generation and not self._reloads.is_due:
            # What an older one sees has been read anew already.
            is_asked = message.kind is Kind.RESTART
            self._say("info", "an app asks for a restart" if is_asked else "the source of an app changed")
            self._reloads.is_due = True

    @property
    def _newest_generation(self) -> int:
        return self._pool.generation if self._incoming is None else self._incoming.generation

    def _lost(self, worker: Worker, how: str) -> None:
        """A worker died that should not have."""
        if self._incoming is not None and worker.generation == self._incoming.generation:
            self._give_up(self._incoming, f"worker #{worker.index} {how} before all were ready")

    # ------------------------------------------------------------ generations

    def _look_after_generations(self, now: float) -> None:
        if self._incoming is not None:
            verdict, reason = judge(self._incoming, self._pool, now)
            if verdict is Verdict.TAKE_OVER:
                self._take_over(self._incoming, now)
            elif verdict is Verdict.GIVE_UP:
                self._give_up(self._incoming, reason)
        if self._reloads.is_due and self._incoming is None:
            self._reloads.is_due = False
            self._reload(now)
        if self._is_ready:
            self._monitor.fill_places(now)
        self._tell_reloaded(now)

    @property
    def _unserved(self) -> tuple[str, ...]:
        """What the workers could not load, each once."""
        failed = (text for worker in self._pool.of(self._pool.generation) for text in worker.failed)
        return tuple(dict.fromkeys(failed))

    @property
    def _broken_before(self) -> tuple[str, ...] | None:
        """What the workers that serve could not load, ours or those of the master before; None: there are none."""
        if self._is_ready:
            return self._unserved
        return None if self._succession.inheritance is None else self._succession.inheritance.failed

    def _reload(self, now: float) -> None:
        """Begin with a new generation; the old goes on until the new is ready."""
        try:
            conf = self._arguments.load()
            self._folders.follow(conf)
            opened = self._sockets.open(conf.instance.server.listen)
        except (ConfError, FoldersError, BindError) as error:
            self._return_to_old()
            self._reload_failed(str(error))
            return
        deadline = now + conf.instance.server.start_timeout_s
        self._incoming = Incoming(conf, next(self._generations), deadline, tuple(opened), self._broken_before)
        self._reloads.follow(conf)
        self._say("info", "reloading")
        # The collector is off; what reading the conf left behind is not to be inherited.
        gc.collect()
        try:
            self._pool.start(self._incoming.generation, self._incoming.size)
        except OSError as error:
            self._give_up(self._incoming, no_process(error))

    def _take_over(self, incoming: Incoming, now: float) -> None:
        self._incoming = None
        self._conf = incoming.conf
        self._pool.promote(incoming.generation, incoming.size)
        old = [
            worker
            for worker in self._pool.workers.values()
            if worker.generation != incoming.generation and worker.stage is not Stage.DRAINING
        ]
        self._pool.retire(old, signal.SIGQUIT, now + DRAIN_S)
        self._sockets.own()
        self._lock.claim()
        self._sockets.keep_only(incoming.conf.instance.server.listen)
        self._monitor.follow(self._conf.instance)
        if self._is_ready:
            self._quiesce = Quiesce.of(old, now)
            return
        self._is_ready = True
        self._say("info", f"serving on {', '.join(self._sockets.addresses)}")
        self._reporter.ready(self._sockets.addresses, self._unserved)

    def _tell_reloaded(self, now: float) -> None:
        """A reload is done when nothing new reaches the old workers: then whoever asked for it meets new code only."""
        if self._quiesce is None or not self._quiesce.is_over(self._pool.workers, now):
            return
        self._quiesce = None
        size, addresses = self._pool.size, self._sockets.addresses
        what = "1 new worker serves" if size == 1 else f"{size} new workers serve"
        self._say("info", f"reloaded, {what} on {', '.join(addresses)}")
        self._reporter.reloaded(addresses, self._unserved)

    def _give_up(self, incoming: Incoming, reason: str) -> None:
        """The new generation can't serve: the old goes on, or nothing does."""
        if not self._is_ready:
            raise _StartError(f"cannot start: {reason}; see {self._folders.logbook.folder}")
        self._incoming = None
        # Those that were ready may have begun with requests.
        kill_at = time.monotonic() + stop_patience_s(self._conf.instance)
        self._pool.retire(self._pool.of(incoming.generation), signal.SIGQUIT, kill_at)
        self._sockets.close(incoming.opened)
        self._return_to_old()
        self._reload_failed(reason)

    def _return_to_old(self) -> None:
        # They were fine before; should they no longer be, what serves still serves.
        with suppress(FoldersError):
            self._folders.follow(self._conf)

    def _reload_failed(self, reason: str) -> None:
        self._say("error", f"reload failed, what served goes on: {reason}")
        self._reporter.reload_failed(reason)

    # ------------------------------------------------------------ two masters

    def _follow(self, order: Order) -> None:
        if order.word is Word.ASK:
            inheritance = Inheritance(self._sockets.everything, self._lock.fd, self._broken_before or ())
            self._succession.give(order.pid, inheritance)
        elif order.word is Word.RELIEVED:
            self._leave_to_successor()
        elif order.word is Word.STAY and not self._is_stopping:
            # It may have given folders and logs to another user.
            self._return_to_old()
            self._folders.logbook.reopen()

    def _leave_to_successor(self) -> None:
        """Another master serves at our addresses: finish what is in flight, as the old workers of a reload do."""
        if self._is_stopping:
            return
        self._say("info", "a new master serves: finishing what is in flight")
        now = time.monotonic()
        self._is_stopping = True
        self._incoming = None
        self._sockets.leave()
        self._lock.part()
        self._quiesce = Quiesce.of(self._pool.workers.values(), now)
        self._pool.retire(self._pool.workers.values(), signal.SIGQUIT, now + DRAIN_S)

    def _tell_relieved(self, now: float) -> None:
        """As with a reload: whoever asked for a restart meets new code only."""
        if self._quiesce is not None and self._quiesce.is_over(self._pool.workers, now):
            self._quiesce = None
            self._reporter.stopping()

    def _give_way(self) -> None:
        """We cannot take the other master's place. What our workers have begun with is finished all the same."""
        if self._succession.inheritance is not None and self._pool.workers and not self._is_ready:
            self._lock.part()
            self._stop(signal.SIGQUIT, stop_patience_s(self._conf.instance))
            while self._pool.workers:
                self._turn()

    # ------------------------------------------------------------ end

    def _stop(self, how: signal.Signals, patience_s: float) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._say("info", "stopping")
            self._reporter.stopping()
            self._sockets.close_all()
            self._incoming = self._quiesce = None
        self._pool.retire(self._pool.workers.values(), how, time.monotonic() + patience_s)

    def _parent_is_gone(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._is_orphan = True
        self._say("warn", "the supervisor is gone: stopping")
        self._stop(signal.SIGTERM, FAST_STOP_S)

    def _end_offspring(self) -> None:
        """What apps started and left behind is the supervisor's to kill. Without one nobody would; then it goes with
        us, and nobody asks for our exit code. Only in a session of our own: else the group may be a shell's."""
        if self._is_orphan and os.getsid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)

    def _kill_all(self) -> None:
        """Nothing goes on: leave nobody behind."""
        self._sockets.close_all()
        for worker in self._pool.workers.values():
            self._pool.signal(worker, signal.SIGKILL)
        for pid in list(self._pool.workers):
            os.waitpid(pid, 0)

    def _say(self, kind: str, text: str) -> None:
        for line in text.splitlines():
            self._folders.logbook.server.write(kind, line)
