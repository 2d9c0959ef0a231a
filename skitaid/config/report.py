"""Collecting the problems of a file, so that all of them are told at once, and finding what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from skitaid.exceptions import ConfError, Problem, SkitaidError

__all__ = ["Report", "UnfitError", "did_you_mean", "nearest"]


class UnfitError(SkitaidError):
    """A value does not fit its key. Raised by the converters, which do not know where the value stands; the caller
    makes a `Problem` of it. An empty `text` means: say what was expected, there is nothing more to tell."""

    def __init__(self, text: str = "", fix: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix


class Report:
    """The problems of one file, errors and warnings."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._problems: list[Problem] = []

    def error(self, line: int, text: str, fix: str = "") -> None:
        self._problems.append(Problem(_printable(self.path), line, _printable(text), _printable(fix)))

    def warn(self, line: int, text: str, fix: str = "") -> None:
        self._problems.append(Problem(_printable(self.path), line, _printable(text), _printable(fix), is_warning=True))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything found, in file order."""
        return tuple(sorted(self._problems, key=lambda problem: problem.line))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_warning)

    @property
    def has_errors(self) -> bool:
        return any(not problem.is_warning for problem in self._problems)

    def check(self) -> None:
        """Raise ConfError with everything found, if there is an error in it."""
        if self.has_errors:
            raise ConfError(self.problems)


def _printable(text: str) -> str:
    """What was found in a file ends up on terminals and in logs: nothing in it may act there."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """The known word that looks most like `word`, or "" when none has a `likeness`, 0 to 1, of that much."""
    from difflib import get_close_matches  # imported late: only a conf with a mistake pays for it

    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], *, at_most: int = 30) -> str:
    """A fix to show: the nearest known word, or else the list of all of them if there are not too many."""
    names = list(known)
    found = nearest(word, names)
    if found:
        return f"did you mean {found}?"
    return f"known here: {', '.join(names)}" if names and len(names) <= at_most else ""
