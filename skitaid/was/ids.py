"""`was.uniqid` and `was.timestamp`: what an app may tell its records and files apart by."""

from __future__ import annotations

import secrets
import time

__all__ = ["timestamp", "uniqid"]


def timestamp() -> int:
    """The time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def uniqid() -> str:
    """A text that nobody else was given and nobody can guess."""
    return secrets.token_hex(16)
