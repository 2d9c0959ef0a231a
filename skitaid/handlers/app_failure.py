"""When an app fails: who is told of it, and what its client is answered that has no answer yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skitaid.engine.stream import Stream
from skitaid.was.errors import HTTPError

__all__ = ["ErrorReporter", "answer_to"]

ErrorReporter = Callable[[Stream, BaseException], None]

_FAILED: Final = (500, "The app failed. What happened is in its log.")


def answer_to(error: BaseException) -> tuple[int, str]:
    """Status code, and text for the page: those of was.Error, which ends a request; 500 for everything else."""
    if isinstance(error, HTTPError) and error.status_code >= 400:
        return error.status_code, error.explain or f"{error.status[4:]}."
    return _FAILED
