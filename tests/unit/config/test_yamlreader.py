from __future__ import annotations

import builtins
import sys
from pathlib import Path
from types import ModuleType

import pytest

from skitaid.config.document import Document
from skitaid.config.reader import read_text
from skitaid.config.report import Report


def read(text: str) -> tuple[Document, list[str]]:
    report = Report("x.yaml")
    document = read_text(text, Path("x.yaml"), report)
    return document, [str(problem) for problem in report.problems]


def test_values_are_as_written() -> None:
    document, problems = read("environment:\n  A: 010\n  B: 12:30\n  C: no\n  D: 1_000\n  E: 0x10\n  F: 2024-01-01\n")
    assert problems == []
    assert [(entry.key, entry.value.text, entry.line) for entry in document.sections["environment"].entries] == [
        ("A", "010", 2),
        ("B", "12:30", 3),
        ("C", "no", 4),
        ("D", "1_000", 5),
        ("E", "0x10", 6),
        ("F", "2024-01-01", 7),
    ]


def test_lists_keep_their_items() -> None:
    document, problems = read('server:\n  log_off: [/a, "b, c"]\n')
    value = document.sections["server"].entries[0].value
    assert problems == []
    assert value.items == ("/a", "b, c")
    assert value.is_list


def test_routes_become_lines() -> None:
    document, problems = read(
        "routes:\n  - /: a\n  - /b: 'c ; d'\n  - host: [one, two]\n    routes:\n      - /: e\n  - host: default\n"
    )
    assert problems == []
    assert [(line.text, line.line) for line in document.sections["routes"].lines] == [
        ("/ = a", 2),
        ('/b = "c ; d"', 3),
        (": one two", 4),
        ("/ = e", 6),
        (": default", 7),
    ]


def test_empty_sections() -> None:
    document, problems = read("server:\nroutes:\ncrontab: []\n")
    assert problems == []
    assert {name: section.has_lines for name, section in document.sections.items()} == {
        "server": False,
        "routes": True,
        "crontab": True,
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_empty_file(text: str) -> None:
    document, _ = read(text)
    assert document.sections == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [("server:\n  port: [80\nx: 1\n", 3), ("a: 1\n\tb: 2\n", 2), ("server: {\n", 2), ("a: 1\n---\nb: 2\n", 2)],
)
def test_syntax_errors_name_the_line(text: str, line: int) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert problems[0].startswith(f"x.yaml:{line}: is not YAML: ")


def test_no_tag_makes_an_object() -> None:
    document, problems = read("environment:\n  A: !!python/object/apply:os.system ['true']\n  B: !!int '7'\n")
    assert problems == []
    assert document.sections["environment"].entries[0].value.is_list
    assert document.sections["environment"].entries[1].value.text == "7"


def test_many_nested_aliases_do_not_explode() -> None:
    rows = "\n".join(f"a{at}: &a{at} [{', '.join(['*a' + str(at - 1)] * 9)}]" for at in range(1, 9))
    _, problems = read(f"a0: &a0 [x, x]\n{rows}\nserver:\n  port: *a8\n")
    assert 0 < len(problems) < 100


def test_deep_nesting_is_refused() -> None:
    _, problems = read("a: " + "[" * 5000 + "]" * 5000)
    assert len(problems) == 1


def test_without_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    importer = builtins.__import__

    def without_yaml(name: str, *rest: object) -> ModuleType:
        if name == "yaml":
            raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
        module: ModuleType = importer(name, *rest)  # type: ignore[arg-type]
        return module

    monkeypatch.delitem(sys.modules, "skitaid.config.yamlreader", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_yaml)
    _, problems = read("server:\n")
    assert problems == ["x.yaml: is YAML, but PyYAML is not installed (install pyyaml, or write it as a .conf file)"]
