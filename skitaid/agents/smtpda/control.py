"""The socket `control` of the spool: `queue retry|hold|remove` for an agent that runs. One JSON object a line, one
request and one answer a connection. Its file is the agent's user's alone.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from skitaid.supervisor.unixsocket import socket_address

__all__ = ["CONTROL", "ControlSocket", "ask"]

CONTROL = "control"
LINE_MAX = 4096
PATIENCE_S = 1.0
ANSWER_S = 30.0

OnCommand = Callable[[str, str], tuple[bool, str]]
"""Command and id → whether it was done, and a sentence."""


class ControlSocket:
    """The agent's end of the socket."""

    def __init__(self, folder: Path, on_command: OnCommand) -> None:
        """Whoever makes one holds the lock. Raises OSError."""
        self._path = folder / CONTROL
        self._on_command = on_command
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # born with mode 0600: no moment at which others may connect
        try:
            with socket_address(folder, CONTROL) as address:
                self._listener.bind(address)
        finally:
            os.umask(before)
        self._listener.listen(8)
        self._listener.setblocking(False)
        self.fd = self._listener.fileno()

    def serve(self) -> None:
        """One client; it is our own user, so it is waited for, but not for long."""
        with suppress(OSError, ValueError):
            channel, _ = self._listener.accept()
            with channel:
                channel.settimeout(PATIENCE_S)
                channel.sendall(self._answer(_line(channel)))

    def _answer(self, line: bytes) -> bytes:
        request = json.loads(line)
        is_done, text = self._on_command(str(request["command"]), str(request["id"]))
        return json.dumps({"ok": is_done, "message": text}).encode() + b"\n"

    def close(self) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)


def ask(folder: Path, command: str, mail_id: str) -> tuple[bool, str]:
    """The agent's answer. Raises OSError: none runs, or it is not ours to ask; ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(ANSWER_S)
        with socket_address(folder, CONTROL) as address:
            channel.connect(address)
        channel.sendall(json.dumps({"command": command, "id": mail_id}).encode() + b"\n")
        answer = json.loads(_line(channel))
    return bool(answer["ok"]), str(answer["message"])


def _line(channel: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < LINE_MAX:
        piece = channel.recv(LINE_MAX)
        if not piece:
            break
        data += piece
    return data
