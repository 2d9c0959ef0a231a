"""What a worker tells its master, one JSON object a line on a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "Kind", "MessageReader", "WorkerMessage", "say_closed", "say_ready", "say_reload", "say_restart", "say_shutdown",
]  # fmt: skip


class Kind(Enum):
    """READY: it can serve. RELOAD: a file of an app with `use_reloader` changed. CLOSED: it takes no more connections.
    RESTART, SHUTDOWN: an app asks for new workers, or for an end (was.restart, was.shutdown)."""

    READY = "ready"
    RELOAD = "reload"
    CLOSED = "closed"
    RESTART = "restart"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class WorkerMessage:
    """What a worker said. `failed`: the apps that could not be loaded, each "MOUNT (…): why". `files`: the source files
    to be watched for their correction."""

    kind: Kind
    failed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def say_ready(fd: int, failed: Iterable[str] = (), files: Iterable[str] = ()) -> None:
    """`fd` of this and the others: the pipe to the master. `failed` and `files`: see `WorkerMessage`."""
    _say(fd, {"kind": Kind.READY.value, "failed": list(failed), "files": list(files)})


def say_reload(fd: int) -> None:
    _say(fd, {"kind": Kind.RELOAD.value})


def say_closed(fd: int) -> None:
    _say(fd, {"kind": Kind.CLOSED.value})


def say_restart(fd: int) -> None:
    _say(fd, {"kind": Kind.RESTART.value})


def say_shutdown(fd: int) -> None:
    _say(fd, {"kind": Kind.SHUTDOWN.value})


def _say(fd: int, message: Mapping[str, object]) -> None:
    # A master that is gone is noticed by the lifeline.
    with suppress(BrokenPipeError):
        os.write(fd, json.dumps(message).encode() + b"\n")


class MessageReader:
    """Bytes to messages. Apps run in the process that writes: what is not a message is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[WorkerMessage]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = (_parse(line) for line in lines)
        return [message for message in messages if message is not None]


def _parse(line: bytes) -> WorkerMessage | None:
    try:
        found = json.loads(line)
        return WorkerMessage(Kind(found["kind"]), _texts(found.get("failed")), _texts(found.get("files")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
