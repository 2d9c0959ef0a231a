"""Where an answer goes: to a client of the control socket, to the pipe of the `start` that waits, or nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answer", "HookReply", "NullReply", "PipeReply", "Reply", "SendReply", "refusal"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The last line of an answer. `exit` is the command line's exit code; `data` joins the object."""

    ok: bool
    message: str
    exit: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> bytes:
        return _line({"ok": self.ok, "message": self.message, "exit": self.exit, **self.data})


def refusal(message: str) -> Answer:
    """It cannot be done as things stand."""
    return Answer(False, message, 1)


class Reply(Protocol):
    """Where the answer to a request goes."""

    def progress(self, text: str) -> None: ...

    def finish(self, answer: Answer) -> None:
        """Once, as the last."""


class NullReply:
    """Nobody waits: a signal asked."""

    def progress(self, text: str) -> None:
        """Nobody listens."""

    def finish(self, answer: Answer) -> None:
        """Nobody listens."""


class HookReply:
    """Progress goes to `reply`; the answer to `on_answer`, which passes it on when it is time."""

    def __init__(self, reply: Reply, on_answer: Callable[[Answer, Reply], None]) -> None:
        self._reply = reply
        self._on_answer = on_answer

    def progress(self, text: str) -> None:
        self._reply.progress(text)

    def finish(self, answer: Answer) -> None:
        self._on_answer(answer, self._reply)


class SendReply:
    """Lines to a function that must not block."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def progress(self, text: str) -> None:
        self._send(_line({"progress": text}))

    def finish(self, answer: Answer) -> None:
        self._send(answer.as_line())


class PipeReply(SendReply):
    """Lines to a descriptor of ours, which the last one closes. A reader that is gone or slow is no error."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        self._fd = fd
        super().__init__(self._write)

    def finish(self, answer: Answer) -> None:
        super().finish(answer)
        os.close(self._fd)

    def _write(self, line: bytes) -> None:
        try:
            os.write(self._fd, line)
        except (BrokenPipeError, BlockingIOError):
            return


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
