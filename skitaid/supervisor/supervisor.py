"""The supervisor's process: lock, signals, loop, beginning and end."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, Signals

from skitaid.config.load import load_main
from skitaid.config.model import Main
from skitaid.exceptions import ConfError, RefusedError
from skitaid.supervisor import lock
from skitaid.supervisor.agents import SECTIONS
from skitaid.supervisor.confs import Confs
from skitaid.supervisor.control import Request
from skitaid.supervisor.fleet import Fleet
from skitaid.supervisor.journal import Journal
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.listener import ControlListener
from skitaid.supervisor.loop import Loop, SignalPipe
from skitaid.supervisor.notify import Notifier
from skitaid.supervisor.reply import Answer, HookReply, NullReply, PipeReply, Reply, refusal
from skitaid.supervisor.requests import Requests
from skitaid.supervisor.spawn import BOOT
from skitaid.supervisor.states import State
from skitaid.supervisor.status import daemon_figures, figures_of
from skitaid.supervisor.title import set_title
from skitaid.supervisor.unit import Shared

__all__ = ["Settings", "Supervisor", "run"]

LOOK_EVERY_S = 1.0
PAUSE_AFTER_FAILURE_S = 0.2
EXIT_CONF_WRONG = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run. `etc`: an absolute path. `only`: start these instances, know the others. `verbose`: write the logs to
    standard error too. `lock_fd`: the lock was taken before the process became a daemon. `ready_fd`: whoever waits
    there is told what started. `boot`: the program of a master."""

    etc: Path
    only: tuple[str, ...] = ()
    verbose: bool = False
    lock_fd: int | None = None
    ready_fd: int | None = None
    boot: Path = BOOT


def run(settings: Settings) -> int:
    """Run until told to stop; the exit code: 0, 1 refused (another one runs), 2 skitaid.conf is wrong. Signals: TERM
    and INT stop everything, HUP reloads, USR1 rotates."""
    _open_standard_streams()
    reply: Reply = NullReply() if settings.ready_fd is None else PipeReply(settings.ready_fd)
    try:
        conf = load_main(settings.etc)
        lock_fd = settings.lock_fd if settings.lock_fd is not None else lock.acquire(conf.global_.run_path)
    except ConfError as error:
        return _give_up(Answer(False, str(error), EXIT_CONF_WRONG), reply, settings)
    except RefusedError as error:
        return _give_up(refusal(str(error)), reply, settings)
    os.set_inheritable(lock_fd, False)
    os.chdir("/")
    set_title("supervisor")
    return Supervisor(settings, conf, lock_fd).run(reply)


class Supervisor:
    """The daemon: its loop, and what it does on signals and commands. Whoever makes one holds the lock."""

    def __init__(self, settings: Settings, conf: Main, lock_fd: int) -> None:
        self._settings = settings
        self._run_path = conf.global_.run_path
        self._lock_fd = lock_fd
        self._started_s = time.time()
        self._loop = Loop()
        self._journal = Journal(conf.global_.log_path, echo=settings.verbose)
        self._signals = SignalPipe((SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD))
        self._lifeline = Lifeline.create()
        self._notifier = Notifier()
        shared = Shared(conf, self._loop, self._journal, self._lifeline, settings.boot, settings.verbose)
        self._fleet = Fleet(shared, Confs(settings.etc, self._journal))
        self._requests = Requests(self._fleet)
        self._listener = ControlListener(self._loop, self._run_path, self._requested)
        self._farewells: list[tuple[Reply, Answer]] = []
        self._is_closing = False
        self._is_over = False
        self._is_lost_told = False
        self._look_at = 0.0
        self._watchdog_at = 0.0

    def run(self, reply: Reply) -> int:
        """Until everything has stopped. `reply` is told what the first start came to."""
        self._write_pid()
        self._journal.info(f"skitaid starts, pid {os.getpid()}, conf {self._settings.etc}")
        self._loop.watch(self._signals.fd, lambda events: self._signalled())
        try:
            self._requests.begin(self._settings.only, HookReply(reply, self._begun))
            while not self._is_over:
                self._turn_safely()
        except ConfError as error:  # it became wrong since it was read a moment ago
            self._journal.problems(error.problems)
            self._farewells.append((reply, Answer(False, str(error), EXIT_CONF_WRONG)))
            return EXIT_CONF_WRONG
        finally:
            self._end()
        return 0

    def _write_pid(self) -> None:
        try:
            lock.write_pid(self._run_path, os.getpid())
        except OSError as error:  # a full disk stops nobody: the lock says whether a daemon runs
            self._journal.warn(
                f"cannot write {self._run_path / lock.PID_FILE}: {error.strerror}; init scripts may not "
                "find this daemon"
            )

    def _turn_safely(self) -> None:
        try:
            self._turn()
        except Exception:  # noqa: BLE001  (the root of the process: a fault of ours must not end every site)
            self._journal.failure()
            time.sleep(PAUSE_AFTER_FAILURE_S)

    def _turn(self) -> None:
        now = time.monotonic()
        due = self._fleet.next_deadline()
        wake_at = self._look_at if due is None else min(self._look_at, due)
        self._loop.turn(wake_at - now)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._look(now)
        self._fleet.turn()

    def _look(self, now: float) -> None:
        if not self._is_closing:
            self._fleet.look_at_files()
            self._keep_run_path()
        self._fleet.reap()  # also what a SIGCHLD told of, should its byte be lost
        self._fleet.tick(now)
        self._listener.tick(now)
        self._journal.tick()
        if self._notifier.watchdog_s is not None and now >= self._watchdog_at:
            self._watchdog_at = now + self._notifier.watchdog_s
            self._notifier.watchdog()

    def _keep_run_path(self) -> None:
        """When somebody removed run_path or what we have there, a second daemon could start, and no command reaches
        us: make it anew."""
        if self._listener.is_there and lock.is_there(self._run_path, self._lock_fd):
            return
        try:
            self._regain_run_path()
        except (RefusedError, OSError) as error:
            if not self._is_lost_told:
                self._is_lost_told = True
                self._journal.error(
                    f"what was in {self._run_path} was removed, and cannot be made anew: {error}; no"
                    f" command reaches this daemon: kill -TERM {os.getpid()}, then start"
                )
        else:
            self._is_lost_told = False
            self._journal.warn(f"made {self._run_path} anew: its lock or its socket had been removed")

    def _regain_run_path(self) -> None:
        """Take the lock again, listen again, write the pid again. Raises RefusedError when another daemon was quicker,
        OSError."""
        if not lock.is_there(self._run_path, self._lock_fd):
            before, self._lock_fd = self._lock_fd, lock.acquire(self._run_path)
            lock.release(before)
        if not self._listener.is_there:
            self._listener.listen_again()
        self._write_pid()

    def _begun(self, answer: Answer, reply: Reply) -> None:
        self._journal.info(answer.message)
        self._tell_ready()
        reply.finish(answer)

    def _tell_ready(self) -> None:
        units = self._fleet.units.values()
        running = sum(unit.state is State.RUNNING for unit in units)
        if not self._is_closing:
            self._notifier.ready(f"{running} of {len(units)} instances run")

    # ------------------------------------------------------------ signals

    def _signalled(self) -> None:
        for number in self._signals.read():
            self._on_signal(number)

    def _on_signal(self, number: Signals) -> None:
        if number is SIGCHLD:
            self._fleet.reap()
        elif number in (SIGTERM, SIGINT):
            # A second one is impatience: whoever presses Ctrl-C twice does not want to wait.
            self._stop_all(f"{number.name} was received", NullReply(), fast=self._is_closing)
        elif number is SIGHUP and not self._is_closing:
            self._renew_all("SIGHUP was received", NullReply(), is_restart=False)
        elif number is SIGUSR1:
            self._requests.rotate(None, NullReply())

    def _stop_all(self, reason: str, reply: Reply, *, fast: bool) -> None:
        self._is_closing = True
        self._journal.info(f"stopping {'at once' if fast else 'gracefully'}: {reason}")
        self._notifier.stopping("stopping")
        self._requests.stop_all(reason, HookReply(reply, self._all_stopped), fast=fast)

    def _all_stopped(self, answer: Answer, reply: Reply) -> None:
        self._is_over = True
        self._farewells.append((reply, answer))

    def _renew_all(self, reason: str, reply: Reply, *, is_restart: bool) -> None:
        self._journal.info(f"reading the confs again: {reason}")
        self._notifier.reloading()
        renew = self._requests.restart if is_restart else self._requests.reload
        renew(None, HookReply(reply, self._renewed))

    def _renewed(self, answer: Answer, reply: Reply) -> None:
        (self._journal.info if answer.ok else self._journal.error)(answer.message)
        self._tell_ready()
        reply.finish(answer)

    # ------------------------------------------------------------ requests

    def _requested(self, request: Request, reply: Reply) -> None:
        if request.command == "ping":
            reply.finish(Answer(True, "skitaid runs", data={"pid": os.getpid()}))
        elif request.command == "status":
            reply.finish(self._status(request.name))
        elif request.name is None:
            self._requested_of_all(request, reply)
        elif self._is_closing:
            reply.finish(refusal("skitaid is stopping"))
        else:
            self._requested_of_one(request, request.name, reply)

    def _requested_of_all(self, request: Request, reply: Reply) -> None:
        if request.command in ("stop", "shutdown", "terminate"):
            self._stop_all(f"{request.command} was asked for", reply, fast=_is_fast(request))
        elif self._is_closing:
            reply.finish(refusal("skitaid is stopping"))
        elif request.command in ("reload", "restart"):
            self._renew_all(f"{request.command} was asked for", reply, is_restart=request.command == "restart")
        elif request.command == "start":
            self._requests.start(None, reply)
        else:
            self._requests.rotate(None, reply)

    def _requested_of_one(self, request: Request, name: str, reply: Reply) -> None:
        if request.command in ("stop", "shutdown", "terminate"):
            self._requests.stop(name, reply, fast=_is_fast(request))
        elif request.command == "start":
            self._requests.start(name, reply)
        elif request.command == "restart":
            self._requests.restart(name, reply)
        elif request.command == "reload":
            self._requests.reload(name, reply)
        else:
            self._requests.rotate(name, reply)

    def _status(self, name: str | None) -> Answer:
        units = [unit for unit in sorted(self._fleet.everyone, key=lambda unit: unit.name) if name in (None, unit.name)]
        if name is not None and not units:
            return refusal(f"no instance {name!r}" if name not in SECTIONS else f"there is no {SECTIONS[name]}")
        return Answer(True, "", data={"daemon": daemon_figures(self._started_s), **figures_of(units)})

    # ------------------------------------------------------------ the end

    def _end(self) -> None:
        """The lock is given up before the last answers go out: whoever waited for `stop` may start at once."""
        self._fleet.close()
        self._listener.stop_listening()
        lock.remove_pid(self._run_path)
        self._journal.info("skitaid has stopped")
        lock.release(self._lock_fd)
        for reply, answer in self._farewells:
            reply.finish(answer)
        self._listener.close()


def _is_fast(request: Request) -> bool:
    return request.fast or request.command == "terminate"


def _give_up(answer: Answer, reply: Reply, settings: Settings) -> int:
    if settings.ready_fd is None:
        print(answer.message, file=sys.stderr)
    reply.finish(answer)
    return answer.exit


def _open_standard_streams() -> None:
    """Descriptors 0 to 2 exist, lest a file of ours takes their place and a child's output goes there."""
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd > 2:
            os.close(fd)
            return
