"""The known word that was probably meant, as the end of a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from skitaid.config.report import nearest

__all__ = ["did_you_mean"]

LIKENESS: Final = 0.55
"""Less than in conf files: what is typed at a terminal is short, and a slip in it weighs more."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean X?", or "" when nothing is near."""
    match = nearest(word, known, likeness=LIKENESS)
    return f"; did you mean {match}?" if match else ""
