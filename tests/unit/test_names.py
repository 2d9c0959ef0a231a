"""docs/names.md: its form, and that each name marked as existing is there."""

from __future__ import annotations

import contextlib
import getpass
import grp
import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from configparser import ConfigParser
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import skitaid.cli.instance
import skitaid.cli.main
from skitaid.config.load import load_instance, load_main
from skitaid.exceptions import ConfError

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "names.md"
CHAPTERS = frozenset(
    "atila, was services, database, websocket, script mode, test clients, states, mail, cron, proxy, gateway,"
    " HTTP/2, gRPC, Django, bench".replace(", ", ",").split(",")
)
KINDS = ("program", "command", "option", "instance", "conf", "python", "file", "page")
MAIN_SECTIONS = ("[global]", "[smtpda]", "[crontab:line]", "[state]")
NEW_LINE = " ;; "
FEWEST_NAMES = 900  # what the documents give; the page can only grow


class Row(NamedTuple):
    line: int
    names: tuple[str, ...]
    home: str
    status: str

    @property
    def kind(self) -> str:
        return self.home.partition(" ")[0]

    @property
    def subject(self) -> str:
        """What stands between the first back quotes of the home."""
        found = re.search(r"`([^`]+)`", self.home)
        return found.group(1) if found else ""

    def __str__(self) -> str:
        return f"names.md:{self.line}: {', '.join(self.names)}"


@cache
def rows() -> tuple[Row, ...]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 3, f"names.md:{number}: a row has three cells, this one {len(cells)}"
        found.append(Row(number, tuple(re.findall(r"`([^`]+)`", cells[0])), cells[1], cells[2]))
    return tuple(found)


def existing(kind: str) -> list[Row]:
    return [row for row in rows() if row.status == "exists" and row.kind == kind]


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", existing(kind), ids=lambda row: row.names[0])


# ---------------------------------------------------------------- form


def test_every_table_has_its_heading() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    tables = [index for index, line in enumerate(lines) if line.startswith("|---")]
    assert tables
    assert all(lines[index - 1] == "| name | home | status |" for index in tables)
    in_tables = [line for line in lines if line.startswith("|")]
    assert len(in_tables) == len(rows()) + 2 * len(tables), "a row does not begin with a name in back quotes"


def test_the_page_is_complete() -> None:
    assert sum(len(row.names) for row in rows()) >= FEWEST_NAMES


def test_no_name_stands_twice() -> None:
    seen: dict[str, int] = {}
    twice = []
    for row in rows():
        for name in row.names:
            if name in seen:
                twice.append(f"{name}: lines {seen[name]} and {row.line}")
            seen[name] = row.line
    assert twice == []


def test_every_status_is_a_known_one() -> None:
    wrong = []
    for row in rows():
        kind, _, detail = row.status.partition(": ")
        known = {"exists": not detail, "waits": detail in CHAPTERS, "absent": bool(detail)}
        if not known.get(kind):
            wrong.append(f"{row}: {row.status}")
    assert wrong == []


def test_the_chapters_named_in_the_text_are_those_checked() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("The chapters:")[2].partition(".\n")[0]
    named = re.sub(r"\([^)]*\)", "", " ".join(text.split()))
    assert {word.strip() for word in named.split(",")} == CHAPTERS


def test_every_name_that_exists_can_be_checked() -> None:
    assert [str(row) for row in rows() if row.status == "exists" and row.kind not in KINDS] == []


# ---------------------------------------------------------------- what exists


@of_kind("program")
def test_program(row: Row) -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    scripts = re.findall(r"^([\w-]+) *=", setup["options.entry_points"]["console_scripts"], re.MULTILINE)
    assert row.subject in scripts or os.access(ROOT / "bin" / row.subject, os.X_OK)


def help_of(main: Callable[[Sequence[str]], int]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["--help"]) == 0
    return printed.getvalue()


def names_word(text: str, word: str) -> bool:
    """Is `word` in the text, and not as a part of a longer name?"""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


@of_kind("command")
def test_command(row: Row) -> None:
    listed = help_of(skitaid.cli.main.main).partition("Commands")[2].partition("Options:")[0]
    assert names_word(listed, row.subject)


@of_kind("option")
def test_option(row: Row) -> None:
    assert names_word(help_of(skitaid.cli.main.main).partition("Options:")[2], row.subject)


@of_kind("instance")
def test_option_of_an_instance(row: Row) -> None:
    assert names_word(help_of(skitaid.cli.instance.main).partition("Options:")[2], row.subject)


@of_kind("python")
def test_python(row: Row) -> None:
    module, _, attribute = row.subject.partition(":")
    found: object = importlib.import_module(module)
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    assert found is not None


@of_kind("file")
def test_file(row: Row) -> None:
    assert (ROOT / row.subject).is_file()


@of_kind("page")
def test_page(row: Row) -> None:
    found = re.match(r"page \[[\w./-]+\]\(([\w./-]+)\) `", row.home)
    assert found, f"{row}: write page [NAME.md](NAME.md) `text`"
    assert row.subject in (ROOT / "docs" / found.group(1)).read_text(encoding="utf-8")


# ---------------------------------------------------------------- conf keys


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A conf folder in which everything is present that a conf line of the page may name."""
    folder = tmp_path / "etc"
    enabled = folder / "servers-enabled"
    (enabled / "static").mkdir(parents=True)
    (enabled / "app.py").write_text("def app(env, start_response): ...\n", encoding="utf-8")
    (enabled / "settings.py").write_text("", encoding="utf-8")
    (folder / "cert").mkdir()
    (folder / "cert" / "server.pem").write_text("", encoding="utf-8")
    return folder


def conf_text(subject: str) -> str:
    """`[a] b = c ;; d = e ;; [f] g = h` as lines, each section's head on a line of its own."""
    text = subject.replace(NEW_LINE, "\n")
    for word, value in (
        ("USER", getpass.getuser()),
        ("GROUP", grp.getgrgid(os.getgid()).gr_name),
        ("PYTHON", sys.executable),
    ):
        text = re.sub(rf"\b{word}$", value, text, flags=re.MULTILINE)
    return re.sub(r"^(\[[^]]+\]) ", r"\1\n", text, flags=re.MULTILINE) + "\n"


def test_conf_text() -> None:
    assert conf_text("[a] b = c ;; d = e ;; [f:line] g = h") == "[a]\nb = c\nd = e\n[f:line]\ng = h\n"


@of_kind("conf")
def test_conf(row: Row, etc: Path) -> None:
    text = conf_text(row.subject)
    is_main = text.startswith(MAIN_SECTIONS)
    (etc / "skitaid.conf").write_text(text if is_main else "", encoding="utf-8")
    path = etc / "servers-enabled" / "names.conf"
    path.write_text("" if is_main else text, encoding="utf-8")
    main = load_main(etc)  # raises ConfError with what it does not accept
    if not is_main:
        assert load_instance(path, main).name == "names"


def test_a_key_that_does_not_exist_would_be_seen(etc: Path) -> None:
    row = Row(1, ("x",), "conf `[server] no_such_key = 1`", "exists")
    with pytest.raises(ConfError, match="no_such_key"):
        test_conf(row, etc)
