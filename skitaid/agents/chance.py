"""A random number for agents, which stay resident: the module random brings OpenSSL along."""

from __future__ import annotations

import os

__all__ = ["chance"]


def chance() -> float:
    """From 0 to 1, 1 excluded."""
    return int.from_bytes(os.urandom(4)) / (1 << 32)
