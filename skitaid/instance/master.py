"""The master of an instance: holds the sockets and the logs, forks workers, replaces those that die, and swaps
generations on a reload. One thread, no event loop, and never an app's code.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

from skitaid.config.model import Listen
from skitaid.exceptions import ConfError, SkitaidError
from skitaid.instance.arguments import Arguments, Conf
from skitaid.instance.crew import Crew, Stage, Worker
from skitaid.instance.health import CpuWatch, is_stuck
from skitaid.instance.identity import Identity, identity_of
from skitaid.instance.logbook import Logbook
from skitaid.instance.messages import MessageReader, WorkerMessage
from skitaid.instance.sockets import PATIENCE_S, BindError, Sockets
from skitaid.instance.title import set_title
from skitaid.instance.worker import WorkerTask, leave, run_worker
from skitaid.logs.stdio import redirect
from skitaid.supervisor import lifeline, report, scoreboard
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.scoreboard import Scoreboard

__all__ = ["Master"]

TICK_S: Final = 1.0
STOP_S: Final = 10.0
FAST_STOP_S: Final = 4.0
DRAIN_S: Final = 300.0
"""How long a worker of an old generation may still serve the connections it has."""
_HANDLED: Final = (
    signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD,
)
EXIT_FAILED: Final = 1
EXIT_CONF: Final = 2


@dataclass(slots=True)
class _Incoming:
    """A generation that is to take over."""

    conf: Conf
    generation: int
    opened: list[Listen]
    deadline: float

    @property
    def size(self) -> int:
        return self.conf.instance.server.processes


class _StartError(SkitaidError):
    """The first generation did not come up."""


class Master:
    """`run` gives the exit code: 0 asked to stop, 1 it could not start or go on, 2 the conf is wrong."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._sockets = Sockets()
        self._reporter = report.inherited()
        self._parent = lifeline.inherited()
        self._lifeline = Lifeline.create()
        self._board = _board()
        self._crew = Crew(self._board, self._fork)
        self._pipes: dict[int, tuple[int, MessageReader]] = {}
        self._poll = select.poll()
        self._wake_fds = os.pipe()
        self._signals: list[int] = []
        self._incoming: _Incoming | None = None
        self._wants_reload = False
        self._is_stopping = False
        self._is_ready = False
        self._next_tick = 0.0
        self._lock_fd = -1
        self._cpu: CpuWatch | None = None
        self._identity: Identity | None = None
        self._conf: Conf
        self._logbook: Logbook

    def run(self) -> int:
        """Serve until asked to stop."""
        try:
            self._prepare()
        except ConfError as error:
            print(error, file=sys.stderr)
            return EXIT_CONF
        try:
            self._begin()
            while self._crew.workers or not self._is_stopping:
                self._turn()
        except (BindError, _StartError) as error:
            self._say("fatal", str(error))
            self._kill_all()
            return EXIT_FAILED
        self._say("info", "stopped")
        return 0

    # ------------------------------------------------------------ start

    def _prepare(self) -> None:
        """Conf, folders, logs, signals. Raises ConfError."""
        conf = self._conf = self._arguments.load()
        name = conf.instance.name
        set_title(f"{name} master")
        self._identity = identity_of(conf.instance.server, conf.main.global_)
        owner = (self._identity.uid, self._identity.gid) if self._identity else None
        self._logbook = Logbook(conf.log_folder, owner=owner, is_verbose=self._arguments.is_verbose)
        if not self._arguments.is_verbose:
            redirect(self._logbook.stderr)
        conf.var_folder.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            os.chown(conf.var_folder, *owner)
        self._handle_signals()
        self._poll.register(self._wake_fds[0], select.POLLIN)
        if self._parent is not None:
            self._poll.register(self._parent, select.POLLIN)

    def _begin(self) -> None:
        """Lock, sockets, the first generation. Raises BindError, _StartError."""
        conf = self._conf
        self._lock_fd = _lock(conf)
        self._sockets.open(conf.instance.server.listen, patience_s=PATIENCE_S)
        _raise_descriptor_limit()
        self._watch_cpu()
        # What is loaded now is shared with the workers, as long as nobody writes to it: not even the collector.
        gc.collect()
        gc.disable()
        gc.freeze()
        now = time.monotonic()
        self._crew.promote(0, conf.instance.server.processes)
        self._crew.start(0, self._crew.size, now)
        self._incoming = _Incoming(conf, 0, [], now + conf.instance.server.start_timeout_s)

    def _handle_signals(self) -> None:
        for fd in self._wake_fds:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_fds[1], warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Only noted: the loop does the work, at a moment when it can.
        self._signals.append(number)

    def _watch_cpu(self) -> None:
        point = self._conf.instance.critical_point
        self._cpu = CpuWatch(point.cpu_percent, point.continuous, point.interval_s) if point else None

    # ------------------------------------------------------------ the loop

    def _turn(self) -> None:
        for fd, _ in self._poll.poll(self._patience_ms()):
            if fd == self._wake_fds[0]:
                os.read(fd, 4096)
            elif fd == self._parent:
                self._parent_is_gone(fd)
            else:
                self._hear(fd)
        while self._signals:
            self._obey(self._signals.pop(0))
        now = time.monotonic()
        self._reap(now)
        if self._incoming is not None:
            self._look_at_incoming(self._incoming, now)
        if not self._is_stopping:
            self._fill_places(now)
        for worker in self._crew.overdue(now):
            self._say("warn", f"worker #{worker.index} (pid {worker.pid}) did not end in time and is killed")
            _kill(worker.pid)
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._tick(now)

    def _patience_ms(self) -> int:
        until = min(self._next_tick, self._crew.next_due() or self._next_tick)
        kill_ats = [worker.kill_at for worker in self._crew.workers.values() if worker.kill_at is not None]
        until = min([until, *kill_ats])
        return max(0, int((until - time.monotonic()) * 1000) + 1)

    def _obey(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._wants_reload = True
        elif number == signal.SIGUSR1:
            self._rotate()
        elif number == signal.SIGQUIT:
            self._stop(signal.SIGQUIT, max(STOP_S, self._conf.instance.server.response_timeout_s + 4.0))
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop(signal.SIGTERM, FAST_STOP_S)
        if self._wants_reload and self._incoming is None and not self._is_stopping:
            self._wants_reload = False
            self._reload()

    def _tick(self, now: float) -> None:
        """Every second."""
        if self._logbook.rotate_daily():
            self._tell_workers(signal.SIGUSR1)
        else:
            self._logbook.reopen_if_moved()
        self._replace_stuck()
        if self._cpu is not None:
            self._replace_hot(self._cpu, now)

    def _rotate(self) -> None:
        self._logbook.rotate()
        self._tell_workers(signal.SIGUSR1)
        self._say("info", "logs rotated")

    def _tell_workers(self, number: signal.Signals) -> None:
        for worker in self._crew.workers.values():
            if worker.stage is not Stage.STARTING:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, number)

    # ------------------------------------------------------------ workers

    def _fork(self, index: int, slot: int, generation: int) -> int:
        """A new worker's pid. In the child it does not return."""
        conf = self._conf if self._incoming is None else self._incoming.conf
        read_fd, write_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = EXIT_FAILED
            try:
                os.close(read_fd)
                code = self._be_worker(conf, index, slot, write_fd)
            except BaseException:  # the root of a process
                self._logbook.server.write_traceback(f"worker #{index}")
            finally:
                leave(code)
        os.close(write_fd)
        self._pipes[read_fd] = (pid, MessageReader())
        self._poll.register(read_fd, select.POLLIN)
        return pid

    def _be_worker(self, conf: Conf, index: int, slot: int, pipe_fd: int) -> int:
        """In the child: let go of what is the master's, and serve."""
        lifeline_fd = self._lifeline.keep_read_end()
        for fd in (*self._pipes, *self._wake_fds, self._lock_fd):
            os.close(fd)
        self._reporter.close()
        if self._parent is not None:
            os.close(self._parent)
        task = WorkerTask(
            conf, index, self._board.slot(slot), self._sockets.all, self._logbook, pipe_fd, lifeline_fd, self._identity
        )
        return run_worker(task)

    def _hear(self, fd: int) -> None:
        """A worker said something, or its pipe closed."""
        pid, reader = self._pipes[fd]
        data = os.read(fd, 65536)
        if not data:
            self._poll.unregister(fd)
            del self._pipes[fd]
            os.close(fd)
            return
        for message in reader.feed(data):
            self._heed(pid, message)

    def _heed(self, pid: int, message: WorkerMessage) -> None:
        if message.kind == "ready":
            self._crew.ready(pid, message.failed, time.monotonic())
            for text in message.failed:
                self._say("error", f"this app is not served: {text}")
        elif message.kind == "reload" and self._incoming is None:
            self._say("info", "the source of an app changed")
            self._signals.append(signal.SIGHUP)
            os.write(self._wake_fds[1], b"\0")

    def _reap(self, now: float) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            stage = self._crew.workers[pid].stage if pid in self._crew.workers else None
            worker = self._crew.bury(pid, now)
            if worker is not None and stage is not Stage.DRAINING:
                self._say("error", f"worker #{worker.index} (pid {pid}) {_how(status)}")
                self._board.count_replaced()
                if self._incoming is not None and worker.generation == self._incoming.generation:
                    self._give_up(self._incoming, f"worker #{worker.index} {_how(status)} before it was ready")

    def _fill_places(self, now: float) -> None:
        if self._incoming is not None and self._incoming.generation == self._crew.generation:
            return
        for index in self._crew.due(now):
            incoming, self._incoming = self._incoming, None
            worker = self._crew.hire(index, self._crew.generation, now)
            worker.kill_at = now + self._conf.instance.server.start_timeout_s
            self._incoming = incoming
            self._say("info", f"worker #{index} is replaced (pid {worker.pid})")

    def _replace_stuck(self) -> None:
        server = self._conf.instance.server
        now_ns = time.monotonic_ns()
        for worker in self._crew.workers.values():
            view = self._board.slot(worker.slot).snapshot()
            if worker.stage is Stage.READY and is_stuck(
                view, now_ns, server.heartbeat_timeout_s, has_threads=server.threads > 0
            ):
                self._say("error", f"worker #{worker.index} (pid {worker.pid}) gives no sign of life and is killed")
                _kill(worker.pid)

    def _replace_hot(self, watch: CpuWatch, now: float) -> None:
        ready = {worker.pid: worker for worker in self._crew.workers.values() if worker.stage is Stage.READY}
        for pid in watch.look(list(ready), now):
            self._say("warn", f"worker #{ready[pid].index} (pid {pid}) passed the critical point and is replaced")
            self._crew.retire([ready[pid]], signal.SIGQUIT, now + DRAIN_S)

    # ------------------------------------------------------------ generations

    def _reload(self) -> None:
        """Begin with a new generation; the old goes on until the new is ready."""
        try:
            conf = self._arguments.load()
            opened = self._sockets.open(conf.instance.server.listen)
        except (ConfError, BindError) as error:
            self._reload_failed(str(error))
            return
        now = time.monotonic()
        generation = self._crew.generation + 1
        self._incoming = _Incoming(conf, generation, opened, now + conf.instance.server.start_timeout_s)
        self._say("info", "reloading")
        self._crew.start(generation, self._incoming.size, now)

    def _look_at_incoming(self, incoming: _Incoming, now: float) -> None:
        if self._crew.is_ready(incoming.generation, incoming.size):
            broken = self._newly_failed(incoming)
            if broken and self._is_ready:
                self._give_up(incoming, f"an app that worked does not load: {broken}")
            else:
                self._take_over(incoming, now)
        elif now >= incoming.deadline:
            self._give_up(incoming, f"not ready within {incoming.conf.instance.server.start_timeout_s:g} s")

    def _newly_failed(self, incoming: _Incoming) -> str:
        """An app that the new generation can't load and the old could; "" if there is none."""
        old = {text.partition(" ")[0] for worker in self._crew.of(self._crew.generation) for text in worker.failed}
        for worker in self._crew.of(incoming.generation):
            for text in worker.failed:
                if text.partition(" ")[0] not in old:
                    return text
        return ""

    def _take_over(self, incoming: _Incoming, now: float) -> None:
        self._incoming = None
        self._conf = incoming.conf
        old = [worker for worker in self._crew.workers.values() if worker.generation != incoming.generation]
        self._crew.promote(incoming.generation, incoming.size)
        self._crew.retire([worker for worker in old if worker.stage is not Stage.DRAINING], signal.SIGQUIT, now + DRAIN_S)
        self._sockets.keep_only(incoming.conf.instance.server.listen)
        self._watch_cpu()
        if self._is_ready:
            self._say("info", f"reloaded, {incoming.size} new workers serve")
            self._reporter.reloaded(self._sockets.addresses)
            return
        self._is_ready = True
        self._say("info", f"serving on {', '.join(self._sockets.addresses)}")
        self._reporter.ready(self._sockets.addresses)

    def _give_up(self, incoming: _Incoming, reason: str) -> None:
        """The new generation can't serve: the old goes on, or nothing does."""
        if not self._is_ready:
            raise _StartError(f"cannot start: {reason}; see {self._logbook.folder}")
        self._incoming = None
        for worker in self._crew.of(incoming.generation):
            worker.stage = Stage.DRAINING
            _kill(worker.pid)
        self._sockets.close(incoming.opened)
        self._reload_failed(reason)

    def _reload_failed(self, reason: str) -> None:
        self._say("error", f"reload failed, what served goes on: {reason}")
        self._reporter.reload_failed(reason)

    # ------------------------------------------------------------ end

    def _stop(self, how: signal.Signals, patience_s: float) -> None:
        now = time.monotonic()
        if not self._is_stopping:
            self._is_stopping = True
            self._say("info", "stopping")
            self._reporter.stopping()
            self._sockets.close_all()
            self._incoming = None
        starting: list[Worker] = [w for w in self._crew.workers.values() if w.stage is Stage.STARTING]
        self._crew.retire(starting, signal.SIGKILL, now + patience_s)
        self._crew.retire([w for w in self._crew.workers.values() if w not in starting], how, now + patience_s)

    def _parent_is_gone(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._say("warn", "the supervisor is gone: stopping")
        self._stop(signal.SIGTERM, FAST_STOP_S)

    def _kill_all(self) -> None:
        for pid in list(self._crew.workers):
            _kill(pid)
        while self._crew.workers:
            pid, _ = os.waitpid(-1, 0)
            self._crew.bury(pid, time.monotonic())
        self._sockets.close_all()

    def _say(self, kind: str, text: str) -> None:
        for line in text.splitlines():
            self._logbook.server.write(kind, line)


def _board() -> Scoreboard:
    """The supervisor's page, or one of our own when nobody watches."""
    text = os.environ.get(scoreboard.SCOREBOARD_FD, "")
    if text.isdecimal():
        os.set_inheritable(int(text), False)
        return Scoreboard.attach(int(text))
    return Scoreboard.create()


def _lock(conf: Conf) -> int:
    """One master per instance. Waits as long as one whose supervisor was killed may take to end. Raises BindError."""
    folder = conf.main.global_.run_path / "instances"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{conf.instance.name}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                message = f"instance {conf.instance.name} is running already (it holds {path}); stop it first"
                raise BindError(message) from None
        time.sleep(0.05)


def _raise_descriptor_limit() -> None:
    """Each connection is a descriptor: take as many as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65536)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by signal {-code} ({signal.Signals(-code).name})"
