"""Where senders leave a byte when there is mail, and couriers when a mail is settled: two descriptors for a loop."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from skitaid.agents.smtpda.spool import WAKE
from skitaid.supervisor.unixsocket import socket_address

__all__ = ["WakeupSocket", "WakeupPipe"]


AT_ONCE_MAX = 64
"""Who wakes it for ever must not keep the loop."""


class WakeupSocket:
    """The socket `wake` of the spool. Whoever makes one holds the lock: one that is there is stale."""

    def __init__(self, folder: Path) -> None:
        """Bind the socket in `folder`, the spool. Raises OSError."""
        self._path = folder / WAKE
        self._path.unlink(missing_ok=True)
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.setblocking(False)
        with socket_address(folder, WAKE) as address:
            self._channel.bind(address)
        self._path.chmod(0o622)
        self.fd = self._channel.fileno()

    def drain(self) -> None:
        """Take what is there. What it says does not matter, anybody may have written it."""
        with suppress(BlockingIOError):
            for _ in range(AT_ONCE_MAX):
                self._channel.recv(64)

    def close(self) -> None:
        self._channel.close()
        self._path.unlink(missing_ok=True)


class WakeupPipe:
    """A pipe by which threads wake the loop."""

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)

    def wake(self) -> None:
        with suppress(BlockingIOError):  # full: it is awake
            os.write(self._write_fd, b"\0")

    def drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fd, 65536)
