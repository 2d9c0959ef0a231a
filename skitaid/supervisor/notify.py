"""sd_notify: how a service tells systemd where it stands (sd_notify(3)). Silent where NOTIFY_SOCKET is not set."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]

_MICROSECONDS = 1_000_000


class Notifier:
    """Tells systemd where the daemon stands. `watchdog_s`: how often `watchdog()` is to be called, half the time
    systemd waits, or None: not asked for."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog(environ) if self._address else None

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """A later `ready` ends it. systemd 253 and up wants to know when it began (Type=notify-reload)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", f"STATUS={_line(status)}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={_line(text)}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return  # a service manager that does not listen must not end the service


def _address(text: str) -> str | bytes | None:
    """A path, or with a leading @ a name in the abstract namespace (unix(7)); anything else is not for us."""
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return text if text.startswith("/") else None


def _watchdog(environ: Mapping[str, str]) -> float | None:
    asked = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not asked.isdecimal() or not int(asked) or meant != str(os.getpid()):
        return None
    return int(asked) / _MICROSECONDS / 2


def _line(text: str) -> str:
    return " ".join(text.split())
