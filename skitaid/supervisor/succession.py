"""How a master is followed by another while its addresses stay open: the words on the channel between them.

A master has one end of a pair of sockets, the supervisor the other, and lends that to the master that is to follow. The
new one asks, and is given duplicates of the listening sockets (`instance.inheritance`); both serve then. The supervisor
says which of them remains. One JSON object a line. Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

__all__ = ["CHANNEL_FD", "PREDECESSOR_FD", "Order", "OrderReader", "Word", "inherited", "say"]

CHANNEL_FD = "SKITAID_CHANNEL_FD"
"""The end on which a master is spoken to."""
PREDECESSOR_FD = "SKITAID_PREDECESSOR_FD"
"""The end by which it speaks to the one that it is to follow."""


class Word(Enum):
    """ASK: give me your addresses. RELIEVED: the other serves, finish what you have. STAY: the other is gone."""

    ASK = "ask"
    RELIEVED = "relieved"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class Order:
    """A word on the channel. `pid`: who asks. An answer names it, as one that nobody read any more may lie in the
    channel."""

    word: Word
    pid: int = 0


def say(channel: socket.socket, word: Word, pid: int = 0) -> None:
    """A master that is gone, or hears nothing any more, is no error: whoever waits for its answer has an end of
    patience."""
    with suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
        channel.send(json.dumps({"word": word.value, "pid": pid}).encode() + b"\n", socket.MSG_DONTWAIT)


class OrderReader:
    """Bytes in, orders out. What is none is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Order]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        orders = (_parse(line) for line in lines)
        return [order for order in orders if order is not None]


def _parse(line: bytes) -> Order | None:
    try:
        found = json.loads(line)
        return Order(Word(found["word"]), int(found.get("pid", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def inherited(name: str, environ: Mapping[str, str] = os.environ) -> socket.socket | None:
    """The channel that the supervisor passed over exec under that name, made close-on-exec again; None: there is
    none."""
    text = environ.get(name, "")
    if not text.isdecimal():
        return None
    os.set_inheritable(int(text), False)
    return socket.socket(fileno=int(text))
