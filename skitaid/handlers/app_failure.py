"""What a client is answered when an app fails before it has answered."""

from __future__ import annotations

from typing import Final

from skitaid.was.errors import HTTPError

__all__ = ["answer_to"]

_FAILED: Final = (500, "The app failed. What happened is in its log.")


def answer_to(error: BaseException) -> tuple[int, str]:
    """Status code, and text for the page: those of was.Error, which ends a request; 500 for everything else."""
    if isinstance(error, HTTPError) and error.status_code >= 400:
        return error.status_code, error.explain or f"{error.status[4:]}."
    return _FAILED
