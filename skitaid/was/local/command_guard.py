"""Who ends the commands of a worker that is killed: a shell that is told of each, and that kills those which are left
when its input ends because the worker is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from threading import Lock
from typing import Final

__all__ = ["CommandGuard"]

# Two letters and a number a line. Commands have process groups of their own, and so does the shell.
_SCRIPT: Final = """
groups=
while read -r sign group; do
    left=
    for each in $groups; do [ "$each" = "$group" ] || left="$left $each"; done
    [ "$sign" = + ] && left="$left $group"
    groups=$left
done
for each in $groups; do kill -s KILL -- "-$each"; done
"""
_PATIENCE_S: Final = 2.0
"""How long the shell may take to end."""


class CommandGuard:
    """Sees to it that the commands of a pool end with the worker; the shell is started with the first command. From any
    thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._groups: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None
        self._fd = -1
        self._is_closed = False
        os.register_at_fork(after_in_child=self._part)

    def watch(self, group: int) -> None:
        """A command has begun. Raises OSError."""
        with self._lock:
            if self._is_closed:
                # It came too late to be among those that were ended.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
                return
            self._groups.add(group)
            if self._shell is None:
                self._start()
            elif not self._tell(f"+ {group}"):
                self._close()
                self._start()

    def forget(self, group: int) -> None:
        """It is over."""
        with self._lock:
            self._groups.discard(group)
            if self._shell is not None:
                self._tell(f"- {group}")

    def close(self) -> None:
        """The worker ends: so do all commands."""
        with self._lock:
            self._is_closed = True
            self._close()

    def _start(self) -> None:
        theirs, self._fd = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "skitaid: commands"],
                stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
            )  # fmt: skip
        finally:
            os.close(theirs)
        for group in self._groups:
            self._tell(f"+ {group}")

    def _tell(self, line: str) -> bool:
        """Whether it hears."""
        try:
            os.write(self._fd, f"{line}\n".encode("ascii"))
        except OSError:
            return False
        return True

    def _close(self) -> None:
        shell, self._shell = self._shell, None
        if shell is None:
            return
        os.close(self._fd)
        self._fd = -1
        try:
            shell.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            shell.kill()
            shell.wait()

    def _part(self) -> None:
        """In a process that the app forked, which shall not keep the shell from hearing of the worker's end."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
