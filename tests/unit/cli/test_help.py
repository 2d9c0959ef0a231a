"""The help text and docs/commands.md name the same commands and options as the tables that the parser reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skitaid.cli import help as help_text
from skitaid.cli.commands import COMMANDS, OPTIONS, Command
from skitaid.cli.instance import OPTIONS as INSTANCE_OPTIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")


def test_the_overview_names_every_command_and_option() -> None:
    text = help_text.overview("skitaid")
    listed = re.findall(r"^  ([a-z]+)(?: \[?[A-Z]+(?: \[[A-Z]+\])?\]?)?(?:  |$)", text, re.MULTILINE)
    assert listed == [command.name for command in COMMANDS]
    assert all(option.spelling in text for option in OPTIONS)
    assert all(alias in text for command in COMMANDS for alias in command.aliases)
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_s_help_has_its_own_options_only(command: Command) -> None:
    text = help_text.of_command("skitaid", command)
    for option in OPTIONS:
        # the long flag: a command's own may take a short one from those of all commands
        assert (option.flags[-1] in text) == (not option.commands or command.name in option.commands)


def test_the_documentation_has_a_chapter_for_every_command() -> None:
    chapters = [words.split()[0] for words in re.findall(r"^### `([^`]+)`", PAGE, re.MULTILINE)]
    assert sorted(chapters) == sorted(command.name for command in COMMANDS)


def test_the_documentation_names_every_option_and_older_name() -> None:
    for option in (*OPTIONS, *INSTANCE_OPTIONS):
        for flag in option.flags:
            assert f"`{flag}" in PAGE, flag
    for command in COMMANDS:
        for alias in command.aliases:
            assert f"`{alias}`" in PAGE, alias
