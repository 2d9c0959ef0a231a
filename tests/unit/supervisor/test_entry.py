from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.supervisor.entry import PROGRAM, Arguments, parse


@pytest.mark.parametrize(
    "arguments",
    [
        Arguments(Path("/etc/skitaid")),
        Arguments(Path("/a b"), ("x", "y"), True, 3, 4),
        Arguments(Path("/e"), lock_fd=0),
        Arguments(Path("/e"), ready_fd=7),
    ],
)
def test_what_is_written_is_read(arguments: Arguments) -> None:
    python, program, *words = arguments.argv("/usr/bin/python3")
    assert (python, program) == ("/usr/bin/python3", str(PROGRAM))
    assert parse(words) == arguments


@pytest.mark.parametrize("words", [[], ["--etc"], ["--lock-fd", "x", "--etc", "/e"], ["start"], ["--only"]])
def test_anything_else_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"--etc|--only|unknown|invalid literal"):
        parse(words)


def test_the_program_is_there() -> None:
    assert PROGRAM.is_file()
