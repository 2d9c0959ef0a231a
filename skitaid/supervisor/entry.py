"""The command line of the supervisor's own process, written and read here so that both sides agree.

It is for the program that starts it, not for people: `start` becomes a daemon and then executes this, so that nothing
of the command line stays resident. argparse would cost a megabyte for four words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Arguments", "parse"]

PROGRAM = Path(__file__).resolve().parent / "__main__.py"


@dataclass(frozen=True, slots=True)
class Arguments:
    """Those of `supervisor.Settings` that the starting program decides."""

    etc: Path
    only: tuple[str, ...] = ()
    verbose: bool = False
    lock_fd: int | None = None
    ready_fd: int | None = None

    def argv(self, python: str) -> list[str]:
        """What to execute. `lock_fd` and `ready_fd` must be inheritable."""
        words = [python, str(PROGRAM), "--etc", str(self.etc)]
        for name in self.only:
            words += ["--only", name]
        if self.lock_fd is not None:
            words += ["--lock-fd", str(self.lock_fd)]
        if self.ready_fd is not None:
            words += ["--ready-fd", str(self.ready_fd)]
        return [*words, "--verbose"] if self.verbose else words


def parse(words: Sequence[str]) -> Arguments:
    """The words after the program. Raises ValueError for what `argv` does not write."""
    given = iter(words)
    values: dict[str, str] = {}
    only: list[str] = []
    verbose = False
    for word in given:
        if word == "--verbose":
            verbose = True
        elif word == "--only":
            only.append(_value(word, next(given, None)))
        elif word in ("--etc", "--lock-fd", "--ready-fd"):
            values[word] = _value(word, next(given, None))
        else:
            raise ValueError(f"unknown argument {word!r}")
    return Arguments(
        Path(_value("--etc", values.get("--etc"))),
        tuple(only),
        verbose,
        _number(values.get("--lock-fd")),
        _number(values.get("--ready-fd")),
    )


def _value(word: str, value: str | None) -> str:
    if value is None:
        raise ValueError(f"{word} needs a value")
    return value


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
