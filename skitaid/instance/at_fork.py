"""What becomes of a worker's own things in a process that an app forks (os.fork, multiprocessing)."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Sequence

__all__ = ["reset_signals", "close_in_children"]


def close_in_children(sockets: Sequence[socket.socket]) -> None:
    """From now on a process that is forked off this one has none of `sockets`, and signals of its own."""
    at_fork = _AtFork(sockets)
    os.register_at_fork(before=at_fork.begin, after_in_child=at_fork.end_in_child, after_in_parent=at_fork.end)


def reset_signals() -> None:
    """For a process that was just forked: the handlers that it inherited are another's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
        # Ctrl-C reaches the whole process group; the master decides what it means.
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # The default of SIGQUIT is a core dump.
    signal.signal(signal.SIGQUIT, lambda number, frame: os._exit(0))


class _AtFork:
    """A listening socket would stay open, and its address taken, for as long as the child lives. A signal to the child
    would be written to the loop's wake-up descriptor, which is the worker's too: the worker would obey, and not the
    child. One that comes before the child has handlers of its own waits till then."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self._mask = threading.local()  # several threads may fork at once

    def begin(self) -> None:
        self._mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGQUIT))

    def end(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask.before)

    def end_in_child(self) -> None:
        for sock in self._sockets:
            sock.close()
        reset_signals()
        self.end()
