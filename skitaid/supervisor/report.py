"""What a master or an agent tells the supervisor on the report pipe: one JSON object a line.

`Reporter` is the master's end, `ReportReader` the supervisor's, which believes nothing: a line too long, not JSON or
of an unknown event is dropped. Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["REPORT_FD", "Event", "Report", "ReportReader", "Reporter", "inherited"]

REPORT_FD = "SKITAID_REPORT_FD"
_LINE_MAX_BYTES = 64 * 1024
_TEXTS_MAX, _TEXT_MAX = 6, 500
"""Of the apps that are not served: how many are told, and how much of each. server.log has all of it."""


class Event(Enum):
    """READY: listening, and every worker is up. RELOADED: the new workers took over. RELOAD_FAILED: the old ones go
    on. NOTE: what an agent says about itself, as `reason` and in `counts`. STOPPING: on the way out, nothing new is
    taken. FAILED: it cannot start, or not go on."""

    READY = "ready"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload-failed"
    NOTE = "note"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """What a master or an agent said."""

    event: Event
    addresses: tuple[str, ...] = ()
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    unserved: tuple[str, ...] = ()
    """Apps that the workers could not load, each "MOUNT (…): why"."""


class Reporter:
    """The master's end. A parent that is gone, or none at all (`fd` None), is no error: the lifeline tells of that."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def ready(self, addresses: Iterable[str], unserved: Sequence[str] = ()) -> None:
        """`addresses` as bound, e.g. "127.0.0.1:5000", "unix:/run/site.sock"."""
        self._serving(Event.READY, addresses, unserved)

    def reloaded(self, addresses: Iterable[str] = (), unserved: Sequence[str] = ()) -> None:
        self._serving(Event.RELOADED, addresses, unserved)

    def _serving(self, event: Event, addresses: Iterable[str], unserved: Sequence[str]) -> None:
        told = [text[:_TEXT_MAX] for text in unserved[:_TEXTS_MAX]]
        self._send({"event": event.value, "addresses": list(addresses), "unserved": told})

    def reload_failed(self, reason: str) -> None:
        self._send({"event": Event.RELOAD_FAILED.value, "reason": reason})

    def note(self, text: str, counts: Mapping[str, int]) -> None:
        """One line for people, and the numbers in it for programs: `status` shows them."""
        self._send({"event": Event.NOTE.value, "reason": text, "counts": dict(counts)})

    def stopping(self) -> None:
        self._send({"event": Event.STOPPING.value})

    def failed(self, reason: str) -> None:
        self._send({"event": Event.FAILED.value, "reason": reason})

    def close(self) -> None:
        """In a forked child: the pipe is the parent's, which must see its end when the parent dies."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _send(self, message: Mapping[str, object]) -> None:
        if self._fd is None:
            return
        with suppress(BrokenPipeError, BlockingIOError):
            os.write(self._fd, json.dumps(message).encode() + b"\n")


class ReportReader:
    """Bytes in, reports out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Report]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_MAX_BYTES:
            self._rest = b""
        reports = (_parse(line) for line in lines)
        return [report for report in reports if report is not None]


def _parse(line: bytes) -> Report | None:
    try:
        message = json.loads(line)
        event = Event(message["event"])
    except (ValueError, KeyError, TypeError):
        return None
    addresses, unserved = _texts(message.get("addresses")), _texts(message.get("unserved"))
    counts = message.get("counts", {})
    counts = counts if isinstance(counts, dict) else {}
    numbers = {str(name): number for name, number in counts.items() if isinstance(number, int)}
    return Report(event, addresses, str(message.get("reason", "")), numbers, unserved)


def _texts(found: object) -> tuple[str, ...]:
    return tuple(map(str, found)) if isinstance(found, list) else ()


def inherited(environ: Mapping[str, str] = os.environ) -> Reporter:
    """The report pipe that the supervisor passed over exec, made close-on-exec again; a silent one if there is none."""
    text = environ.get(REPORT_FD, "")
    if not text.isdecimal():
        return Reporter(None)
    os.set_inheritable(int(text), False)
    return Reporter(int(text))
