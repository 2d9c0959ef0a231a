"""The root of the error tree. A subclass says who must act; a message says where, what was found, what was
expected and what to do. Nothing here imports the rest of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SkitaidError(Exception):
    """Root of every error that skitaid raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a conf file.

    `path` and `line` (1-based, 0 for the file as a whole) say where, `text` what was found and what was expected,
    `fix` what to do about it.
    """

    path: str
    line: int
    text: str
    fix: str = ""
    is_warning: bool = False

    @property
    def where(self) -> str:
        """`path:line`, or the path alone for the file as a whole."""
        return f"{self.path}:{self.line}" if self.line else self.path

    def __str__(self) -> str:
        kind = "warning: " if self.is_warning else ""
        return f"{self.where}: {kind}{self.text}" + (f" ({self.fix})" if self.fix else "")


class ConfError(SkitaidError):
    """The author of a conf file must act. Carries every problem found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RefusedError(SkitaidError):
    """A command cannot be carried out as things stand (not running, already running, no such instance)."""


class PeerError(SkitaidError):
    """The client on the other end of a connection broke a rule or went away."""
