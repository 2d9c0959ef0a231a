"""Keeping a pool of workers whole: the dead are reaped and their places filled; those that are stuck, late or past the
limit of processor time go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from skitaid.config.model import Instance
from skitaid.instance.health import CpuWatch, is_stuck
from skitaid.instance.worker_pool import Stage, Worker, WorkerPool
from skitaid.supervisor.proc import cpu_seconds

__all__ = ["WorkerMonitor", "no_process", "stop_patience_s"]

STOP_S: Final = 10.0
STOP_BEYOND_RESPONSE_S: Final = 4.0


class WorkerMonitor:
    """Looks after the workers of a master: reaps the dead, fills their places, ends those that are stuck. `say` writes
    a kind and a text to the instance's log."""

    def __init__(self, pool: WorkerPool, say: Callable[[str, str], None]) -> None:
        self._pool = pool
        self._say = say
        self._cpu: CpuWatch | None = None
        self._instance: Instance

    def follow(self, instance: Instance) -> None:
        """From now on these are the time-outs and limits."""
        self._instance = instance
        point = instance.critical_point
        self._cpu = CpuWatch(point.cpu_percent, point.continuous, point.interval_s) if point else None

    def reap(self, now: float) -> list[tuple[Worker, str]]:
        """Bury the dead. Gives those that should have lived, and how they ended."""
        lost: list[tuple[Worker, str]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return lost
            if not pid:
                return lost
            worker = self._pool.remove(pid, now)
            if worker is not None and worker.stage is not Stage.DRAINING:
                self._say("error", f"worker #{worker.index} (pid {pid}) {_how(status)}")
                lost.append((worker, _how(status)))

    def fill_places(self, now: float) -> None:
        """Replace those that are missing."""
        for index in self._pool.due(now):
            kill_at = now + self._instance.server.start_timeout_s
            try:
                worker = self._pool.spawn(index, self._pool.generation, kill_at=kill_at)
            except OSError as error:
                self._pool.postpone(index, now)
                self._say("error", f"worker #{index} is missing: {no_process(error)}")
                continue
            self._pool.board.count_replaced()
            self._say("info", f"worker #{index} is replaced (pid {worker.pid})")

    def kill_overdue(self, now: float) -> None:
        """End the patience with those that did not become ready, or did not go."""
        for worker in self._pool.overdue(now):
            what = "was not ready" if worker.stage is Stage.STARTING else "did not end"
            self._say("warn", f"worker #{worker.index} (pid {worker.pid}) {what} in time and is killed")
            self._pool.signal(worker, signal.SIGKILL)

    def tick(self, now: float) -> None:
        """Once a second: kill workers that are stuck, replace those past the critical point."""
        ready = [worker for worker in self._pool.workers.values() if worker.stage is Stage.READY]
        for worker in ready:
            if self._is_stuck(worker):
                self._say("error", f"worker #{worker.index} (pid {worker.pid}) gives no sign of life and is killed")
                self._pool.signal(worker, signal.SIGKILL)
        if self._cpu is not None and self._cpu.is_due(now):
            self._replace_hot(self._cpu, ready, now)

    def _is_stuck(self, worker: Worker) -> bool:
        server = self._instance.server
        view = self._pool.board.slot(worker.slot).snapshot()
        return is_stuck(view, time.monotonic_ns(), server.heartbeat_timeout_s, has_threads=server.threads > 0)

    def _replace_hot(self, watch: CpuWatch, ready: list[Worker], now: float) -> None:
        over = watch.look({worker.pid: cpu_seconds(worker.pid) for worker in ready}, now)
        hot = [worker for worker in ready if worker.pid in over]
        for worker in hot:
            self._say("warn", f"worker #{worker.index} (pid {worker.pid}) passed the critical point and is replaced")
        self._pool.retire(hot, signal.SIGQUIT, now + stop_patience_s(self._instance))


def stop_patience_s(instance: Instance) -> float:
    """How long a graceful stop waits for requests in flight."""
    return max(STOP_S, instance.server.response_timeout_s + STOP_BEYOND_RESPONSE_S)


def no_process(error: OSError) -> str:
    """A fork that failed, in words."""
    return f"no process can be made: {error.strerror} (a limit of the machine: processes, memory or open files)"


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by signal {-code} ({signal.strsignal(-code)})"
