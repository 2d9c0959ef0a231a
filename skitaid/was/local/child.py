"""A process of its own for functions of the app: started by exec, fed one function at a time, killed when it takes too
long. What it runs is the composer's business (worker.child_command); this is the end that asks.

Both ends hold a socket. A message is its length in eight bytes and a pickle: to the child first what it is set up
with, then functions; from it a pair for each, of whether it went well and what came of it. A child whose socket ends
ends itself, whatever it is doing, and its process group with it, so a worker that is killed leaves nobody behind.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from skitaid.was.errors import WasError

__all__ = ["Child", "ChildDiedError", "ChildGoneError"]

_LENGTH: Final = struct.Struct("!Q")
_PATIENCE_S: Final = 2.0
"""How long a child that is let go may take to end."""
_RECEIVE_BYTES: Final = 1 << 20


class ChildDiedError(WasError):
    """The process ended while it ran a function, which may have done that."""


class ChildGoneError(ChildDiedError):
    """The process ended before it had read a whole function: another process may run it."""


class Child:
    """Used by one thread at a time, but for `kill`. `command` gets the number of its socket as last argument; it
    inherits the descriptors `fds`."""

    def __init__(self, command: Sequence[str], setup: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [*command, str(number)], pass_fds=(number, *fds), stdin=subprocess.DEVNULL, process_group=0
            )
        self._send(pickle.dumps(dict(setup)))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_gone(self) -> bool:
        """Whether it ended while it had nothing to do: somebody killed it."""
        return self._process.poll() is not None

    def run(self, request: bytes) -> bytes:
        """What the child answers to a function. Raises ChildDiedError, ChildGoneError."""
        try:
            self._send(request)
            (length,) = _LENGTH.unpack(self._receive(_LENGTH.size))
            return self._receive(length)
        except ConnectionError:
            # Linux says so, and not that the socket ended, when something that was sent is left unread.
            raise ChildGoneError(f"the process {self._end()} before it began with the function") from None
        except (OSError, EOFError):
            raise ChildDiedError(f"the process {self._end()} while it ran the function") from None

    def kill(self) -> None:
        """End it now, with all that it started. From any thread."""
        # Not once it is buried: the number may be another's.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it go. It ends by itself; if it does not, it is made to."""
        self._socket.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _end(self) -> str:
        """How it ended."""
        self.kill()
        self._socket.close()
        self._process.wait()
        code = self._process.returncode
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def _send(self, data: bytes) -> None:
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def _receive(self, count: int) -> bytes:
        pieces = []
        while count:
            piece = self._socket.recv(min(count, _RECEIVE_BYTES))
            if not piece:
                raise EOFError
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
