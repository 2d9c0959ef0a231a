"""What a worker tells its master, one JSON object a line on a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["MessageReader", "WorkerMessage", "say_ready", "say_reload"]


@dataclass(frozen=True, slots=True)
class WorkerMessage:
    """`kind` is "ready" (with the apps that failed to load) or "reload" (a file of an app with `use_reloader`
    changed)."""

    kind: str
    failed: tuple[str, ...] = ()


def say_ready(fd: int, failed: Sequence[str]) -> None:
    _say(fd, {"kind": "ready", "failed": list(failed)})


def say_reload(fd: int) -> None:
    _say(fd, {"kind": "reload"})


def _say(fd: int, message: dict[str, object]) -> None:
    # A master that is gone is noticed by the lifeline.
    with suppress(BrokenPipeError):
        os.write(fd, json.dumps(message).encode() + b"\n")


class MessageReader:
    """Bytes to messages. Apps run in the process that writes: what is no message is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[WorkerMessage]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = []
        for line in lines:
            try:
                found = json.loads(line)
                messages.append(WorkerMessage(str(found["kind"]), tuple(map(str, found.get("failed", ())))))
            except (ValueError, KeyError, TypeError):
                continue
        return messages
