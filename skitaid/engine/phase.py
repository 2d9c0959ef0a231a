"""What a connection waits for."""

from __future__ import annotations

from enum import Enum

__all__ = ["Phase"]


class Phase(Enum):
    """The time-outs follow from it, see engine.timeouts."""

    IDLE = "the next request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    APP = "the app"
    SENDING = "the client, to take what is sent"
    LINGERING = "the client, to close"
    CLOSED = "nothing"
