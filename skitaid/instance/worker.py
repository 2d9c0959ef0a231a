"""A worker: the forked child that imports the apps and serves."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from skitaid.config.identity import become, identity_of
from skitaid.config.model import Listen
from skitaid.engine.access import AccessLog
from skitaid.engine.listener import Listener
from skitaid.engine.server import Engine
from skitaid.exceptions import SkitaidError
from skitaid.handlers.asgi.lifespans import Lifespans, end_tasks
from skitaid.handlers.router import Router
from skitaid.handlers.site import Site
from skitaid.instance.applog import AppLog
from skitaid.instance.arguments import Conf
from skitaid.instance.at_fork import close_in_children
from skitaid.instance.compose import Composition, engine_settings, make_router
from skitaid.instance.handover import newly_failed
from skitaid.instance.lastresort import LastResort
from skitaid.instance.logbook import Logbook
from skitaid.instance.memory import MemoryKeeper
from skitaid.instance.messages import say_closed, say_ready, say_reload
from skitaid.instance.reloader import Reloader
from skitaid.instance.untrusted_proxy import untrusted_proxy_teller
from skitaid.instance.was_worker import install_was
from skitaid.logs.writer import RequestLogWriter
from skitaid.protocols.http1.response import require_tls
from skitaid.supervisor.proc import rss_bytes
from skitaid.supervisor.scoreboard import Slot, WorkerState
from skitaid.supervisor.title import set_title
from skitaid.was.state_table import StateTable
from skitaid.was.worker import Worker

if TYPE_CHECKING:
    from skitaid.upstream.upstreams import Upstreams

__all__ = ["SettleError", "WorkerTask", "leave", "run_worker"]

SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread may hold the interpreter while others want it. The default of 5 ms lets one app that computes
delay every other request by as much; 1 ms doubles the throughput beside it and costs nothing otherwise."""
GC_THRESHOLDS: Final = (10_000, 20, 50)
"""Of the collections of the three generations. With the default of 700 objects a worker whose connections are all busy
collects at every other request of theirs, for nothing: what a request makes is freed without the collector."""
FAST_STOP_S: Final = 1.0
ORPHAN_STOP_S: Final = 2.0
END_S: Final = 3.0
FAST_END_S: Final = 0.5
"""For ASGI apps: to clean up what is cancelled, and to end their lifespan."""
LIFESPAN_SHARE: Final = 0.8
"""Of the time to start, after which an app that does not say that it has started is served without having said so."""
LIFESPAN_LEAST_S: Final = 0.5
IDLE_GRACE_S: Final = 1.0
"""A graceful stop leaves idle connections open so long: the request that is on its way finds somebody."""


class SettleError(SkitaidError):
    """The instance's user can't use what the conf gives it; the machine's administrator must act."""


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What the master gives a worker it forks. The lifeline's and the pipe's descriptors are the worker's ends.
    `unset`: names of the environment that the conf no longer has. `broken_before`: see `handover.Incoming`."""

    conf: Conf
    index: int
    slot: Slot
    sockets: list[socket.socket]
    logbook: Logbook
    pipe_fd: int
    lifeline_fd: int
    states: StateTable
    unset: tuple[str, ...] = ()
    broken_before: tuple[str, ...] | None = None


def run_worker(task: WorkerTask) -> int:
    """Serve until asked to stop. The exit code of the process; call `leave` with it, whatever is raised."""
    _settle(task)
    close_in_children(task.sockets)
    worker = _Worker(task)
    try:
        worker.serve()
    finally:
        worker.end()
    return 0


def leave(code: int) -> None:
    """End a forked child without running what belongs to the master. Whatever fails on the way: the child must not get
    back into the master's code."""
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def _settle(task: WorkerTask) -> None:
    """User, folder, environment and import path of the apps."""
    conf = task.conf
    server = conf.instance.server
    set_title(f"{conf.instance.name} worker #{task.index}")
    os.umask(0o022)
    # What the supervisor told the master is not for the apps: a skitaid that one of them starts would believe it.
    for name in (*task.unset, *[name for name in os.environ if name.startswith("SKITAID_")]):
        os.environ.pop(name, None)
    os.environ.update(conf.instance.environment)
    os.environ.update(
        SKITAID_INSTANCE=conf.instance.name,
        SKITAID_ETC=str(conf.main.etc),
        SKITAID_LOG_PATH=str(conf.log_folder),
        SKITAID_VAR_PATH=str(conf.var_folder),
        SKITAID_SPOOL_PATH=str(conf.main.global_.var_path / "daemons" / "smtpda"),
    )
    _become_user(conf)
    _enter(server.directory or conf.var_folder)
    sys.path[:0] = [str(path) for path in server.pythonpath]
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def _become_user(conf: Conf) -> None:
    identity = identity_of(conf.instance.server, conf.main.global_)
    if identity is None:
        return
    become(identity)
    library = os.path.dirname(os.__file__)
    if not os.access(library, os.R_OK | os.X_OK):
        advice = f"let that user read it, or name another python for {conf.instance.path}"
        raise SettleError(f"user {identity.user} can't read the interpreter's library {library} ({advice})")


def _enter(folder: Path) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        advice = "let the user of this instance enter it and every folder above it"
        raise SettleError(f"cannot use {folder} as the working folder: {error.strerror} ({advice})") from error


class _Worker:
    """The engine and what keeps the master informed."""

    def __init__(self, task: WorkerTask) -> None:
        self._task = task
        conf = task.conf
        self._log = RequestLogWriter(task.logbook.request)
        log = AccessLog(f"W{task.index}", self._log.append)
        self._site = Site(Router([]))
        self._engine = Engine(engine_settings(conf.instance, conf.var_folder), self._site, log=log)
        self._site.engine = self._engine
        self._engine.proxy_headers.on_doubt = untrusted_proxy_teller(task.logbook.server)
        if self._engine.spool is not None:
            self._engine.spool.on_trouble = partial(task.logbook.server.write, "error")
        self._started_at = time.time()
        self._state = WorkerState.STARTING
        self._stop_at: float | None = None
        self._close_idle_at = 0.0
        self._reloader: Reloader | None = None
        self._lifespans: Lifespans | None = None
        self._making: Composition | None = None
        self._forwarding: Upstreams | None = None
        self._was: Worker | None = None

    def serve(self) -> None:
        """Load the apps, accept, and run until stopped."""
        engine = self._engine
        asyncio.set_event_loop(engine.loop)
        self._watch_lifeline()
        making = self._load()
        # What lives as long as the worker need not be looked at by every collection.
        gc.collect()
        gc.freeze()
        if not newly_failed(self._task.broken_before, making.failed):
            self._listen()  # else the master gives this generation up: no visitor is to see its error page
        for number, patience_s in ((signal.SIGTERM, FAST_STOP_S), (signal.SIGQUIT, None)):
            engine.loop.add_signal_handler(number, self.stop, patience_s)
        engine.loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)
        self._state = WorkerState.READY
        self._tick()
        engine.on_tick += [self._tick, MemoryKeeper(engine.disk.do).tick]
        say_ready(self._task.pipe_fd, making.failed, making.loader.files() if making.failed and self._reloader else ())
        engine.loop.run_forever()

    def _listen(self) -> None:
        conf, engine = self._task.conf, self._engine
        server = conf.instance.server
        forwards: dict[Listener, Listen] = {}
        ports: dict[str, int] = {}
        for listen, sock in zip(server.listen, self._task.sockets, strict=True):
            is_secure = listen.path is None and not listen.is_forward
            listener = engine.listen(sock, conf.security if is_secure else None)
            if listen.is_forward:
                forwards[listener] = listen
            elif is_secure:
                ports.setdefault(listen.host, int(listener.port))
        if forwards:
            from skitaid.handlers.https_redirect import HttpsRedirect

            there = {listener: ports[listen.host] for listener, listen in forwards.items()}
            engine.handler = HttpsRedirect(engine.handler, there)
        if server.tls is not None and server.tls.hsts_s:
            require_tls(server.tls.hsts_s, subdomains=server.tls.hsts_subdomains)

    def stop(self, patience_s: float | None) -> None:
        """Take no more connections and end when those that are open are done; after `patience_s` at the latest (None:
        the master has the patience, and an end of it)."""
        engine = self._engine
        now = engine.loop.time()
        if patience_s is not None:
            self._stop_at = min(self._stop_at or now + patience_s, now + patience_s)
        if self._state is WorkerState.DRAINING:
            return
        self._state = WorkerState.DRAINING
        engine.drain()
        say_closed(self._task.pipe_fd)
        self._close_idle_at = now + (IDLE_GRACE_S if patience_s is None else 0.0)
        self._look_for_end()

    def _load(self) -> Composition:
        """Load the apps, make the routes and let ASGI apps start."""
        instance = self._task.conf.instance
        LastResort(self._task.logbook.app).take_over()
        making = Composition(self._engine, instance, AppLog(self._task.logbook.app))
        making.report = partial(self._task.logbook.server.write, "warn")
        making.var_folder = self._task.conf.var_folder
        self._making = making
        self._was = install_was(
            making, var_folder=self._task.conf.var_folder, pipe_fd=self._task.pipe_fd, states=self._task.states
        )
        since_ns = time.time_ns()
        self._site.router = make_router(making)
        if instance.server.enable_proxy:
            self._forward(making)
        self._lifespans = making.lifespans
        self._start_lifespans(making)
        if making.wants_reloader:
            self._reloader = Reloader(making.loader.files, since_ns=since_ns)
        return making

    def _forward(self, making: Composition) -> None:
        """Put the forward proxy before the site."""
        from skitaid.instance.forwarding import make_forward_proxy

        proxy, self._forwarding = make_forward_proxy(self._engine, self._site, making.instance, making.cached)
        self._engine.handler = proxy

    def _start_lifespans(self, making: Composition) -> None:
        """Within the time to start: an app that hangs there must not keep the others from being served."""
        loop = self._engine.loop
        loop.set_exception_handler(making.app_log.task_failed)
        left_s = LIFESPAN_SHARE * self._task.conf.instance.server.start_timeout_s - (time.time() - self._started_at)
        making.failed.extend(loop.run_until_complete(making.lifespans.start(max(LIFESPAN_LEAST_S, left_s))))

    def end(self) -> None:
        """The loop has stopped."""
        is_fast = self._stop_at is not None
        loop = self._engine.loop
        if self._lifespans is not None and not loop.is_closed():
            loop.run_until_complete(self._lifespans.stop(FAST_END_S if is_fast else END_S))
            loop.run_until_complete(end_tasks(FAST_END_S))
        if self._was is not None:
            self._was.end()
        if self._making is not None:
            self._making.close()
        if self._forwarding is not None:
            self._forwarding.close()
        self._engine.close(0.0 if is_fast else FAST_STOP_S)
        self._log.close()

    def _look_for_end(self) -> None:
        loop = self._engine.loop
        now = loop.time()
        if now >= self._close_idle_at:
            self._engine.close_idle()
        if not self._is_busy or (self._stop_at is not None and now >= self._stop_at):
            loop.stop()
            return
        loop.call_later(0.02, self._look_for_end)

    @property
    def _is_busy(self) -> bool:
        """Whether anything is in flight: connections, and what apps do that no connection waits for."""
        if self._engine.connection_count or (self._lifespans is not None and self._lifespans.is_busy):
            return True
        return self._was is not None and self._was.is_busy

    def _tick(self) -> None:
        """Every second: the heartbeat, the figures, and what else has to be looked at."""
        engine = self._engine
        self._task.slot.update(
            pid=os.getpid(),
            state=self._state,
            heartbeat_ns=time.monotonic_ns(),
            requests=engine.requests,
            connections=engine.connection_count,
            rss_bytes=rss_bytes(os.getpid()),
            started_s=self._started_at,
            number=self._task.index,
        )
        for log in (self._task.logbook.server, self._task.logbook.app, self._task.logbook.stderr):
            log.reopen_if_moved()
        if self._reloader is not None and self._reloader.has_changed():
            say_reload(self._task.pipe_fd)

    def _reopen_logs(self) -> None:
        self._log.reopen()
        for log in (self._task.logbook.server, self._task.logbook.app, self._task.logbook.stderr):
            log.reopen()

    def _watch_lifeline(self) -> None:
        threading.Thread(target=self._outlive_nobody, name="lifeline", daemon=True).start()

    def _outlive_nobody(self) -> None:
        """A thread's root. Works also while an app holds the loop: then there is nobody to be asked."""
        os.read(self._task.lifeline_fd, 1)
        self._engine.portal.call(lambda: self.stop(ORPHAN_STOP_S))
        time.sleep(ORPHAN_STOP_S + 0.5)
        os._exit(1)
