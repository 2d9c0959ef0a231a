"""The words between the command line and the supervisor, and the command line's end of the socket.

One JSON object a line. A request is {"command": …, "name": NAME or null, "fast": bool}; the answer is any number of
{"progress": text} and then {"ok": bool, "message": text, "exit": 0|1|2, …}. `exit` is what the program exits with.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skitaid.exceptions import PeerError, RefusedError
from skitaid.supervisor.unixsocket import socket_address

__all__ = ["COMMANDS", "REQUEST_MAX_BYTES", "SOCKET_FILE", "Request", "ask", "parse_request"]

SOCKET_FILE = "skitaid.sock"
REQUEST_MAX_BYTES = 4096
COMMANDS = ("status", "start", "stop", "restart", "reload", "shutdown", "terminate", "rotate", "ping")
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks of the daemon. `name` None: every instance, or the daemon itself. `fast`: without
    waiting for requests in flight."""

    command: str
    name: str | None = None
    fast: bool = False


def parse_request(line: bytes) -> Request:
    """The request that a client sent. Raises PeerError, with what was expected."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise PeerError(f"a request is a JSON object on one line: {error}") from error
    if not isinstance(message, dict) or message.get("command") not in COMMANDS:
        raise PeerError(f"a request has a command, one of: {', '.join(COMMANDS)}")
    name, fast = message.get("name"), message.get("fast", False)
    if not isinstance(name, str | None) or not isinstance(fast, bool):
        raise PeerError("a request's name is a string or null, its fast true or false")
    return Request(message["command"], name or None, fast)


def ask(
    run_path: Path,
    request: Mapping[str, object],
    on_progress: Callable[[str], None] = lambda text: None,
    *,
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """Ask the daemon of `run_path` and wait for its answer; `on_progress` gets what it tells in between.

    `timeout_s`: how long it may be silent, None: as long as it likes. Raises RefusedError: not running, not ours to
    ask, gone or silent.
    """
    with _connected(run_path, timeout_s) as channel:
        channel.sendall(json.dumps(request).encode() + b"\n")
        for message in _messages(channel):
            if "progress" not in message:
                return message
            on_progress(str(message["progress"]))
    raise RefusedError("skitaid went away before it answered; skitaid.log says why")


@contextmanager
def _connected(run_path: Path, timeout_s: float | None) -> Iterator[socket.socket]:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(timeout_s)
    try:
        with socket_address(run_path, SOCKET_FILE) as address:
            channel.connect(address)
        yield channel
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise RefusedError(f"skitaid is not running (nothing answers at {run_path / SOCKET_FILE})") from error
    except PermissionError as error:
        raise RefusedError(f"{run_path / SOCKET_FILE} belongs to another user; ask as that user or as root") from error
    except (ConnectionResetError, BrokenPipeError) as error:
        raise RefusedError("skitaid went away before it answered; skitaid.log says why") from error
    except TimeoutError as error:
        raise RefusedError(f"skitaid did not answer within {timeout_s:.0f} s; skitaid.log may say why") from error
    finally:
        channel.close()


def _messages(channel: socket.socket) -> Iterator[dict[str, Any]]:
    rest = b""
    while data := channel.recv(_CHUNK):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)
