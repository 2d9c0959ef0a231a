"""Who is told when an app fails."""

from __future__ import annotations

from collections.abc import Callable

from skitaid.engine.stream import Stream

__all__ = ["ErrorReporter"]

ErrorReporter = Callable[[Stream, BaseException], None]
