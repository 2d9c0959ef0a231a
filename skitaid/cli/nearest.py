"""The known word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, None when nothing is like it."""
    from difflib import get_close_matches  # only when something was misspelt: it costs 4 ms

    matches = get_close_matches(word.lower(), list(known), n=1, cutoff=0.55)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """"; did you mean X?", or "" when nothing is near: to be put at the end of a message."""
    match = nearest(word, known)
    return f"; did you mean {match}?" if match else ""
