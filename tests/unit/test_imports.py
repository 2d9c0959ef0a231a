"""Holds the table "Who may import whom" of docs/architecture.md, and that no modules import in a circle."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
FREE = frozenset({"anything"})
ALSO = frozenset({"exceptions", "logs", "protocols"})  # "Each package may also import …"
CODECS = {"protocols": frozenset({"hpack"})}  # "… and hpack"


@dataclass(frozen=True)
class Import:
    """One import statement, wherever it stands: inside a function and for type checkers too."""

    source: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


# ---------------------------------------------------------------- reading


def parse_table(text: str) -> dict[str, frozenset[str]]:
    """Package → what it may import; `anything` is FREE, `standard library` the empty set."""
    rules: dict[str, frozenset[str]] = {}
    for line in text.partition("| package | may import |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        packages, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        words = frozenset(word.strip() for word in allowed.partition(";")[0].split(","))
        if "standard library" in words:
            granted: frozenset[str] = frozenset()
        else:
            granted = words if words == FREE else words | ALSO
        rules.update({package.strip().replace("/", "."): granted for package in packages.split(",")})
    return rules


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> Mapping[str, Path]:
    return {module_name(path): path for path in sorted((ROOT / "skitaid").rglob("*.py"))}


def resolve(node: ast.ImportFrom, source: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = source.split(".")
    base = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def targets(node: ast.AST, source: str, *, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = resolve(node, source, is_package=is_package)
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full in modules() else base
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
        yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        Import(source, target, getattr(node, "lineno", 0))
        for source, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for target in targets(node, source, is_package=path.name == "__init__.py")
    )


# ---------------------------------------------------------------- judging

RULES = parse_table(PAGE.read_text(encoding="utf-8"))


def part_of(module: str) -> str:
    """The table's name for a module: `supervisor.states` has a row of its own, others are their package."""
    inner = module.removeprefix("skitaid.")
    return inner if inner in RULES else inner.partition(".")[0]


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "skitaid"


def is_allowed(found: Import) -> bool:
    source, target = part_of(found.source), part_of(found.target)
    allowed = RULES[source]
    if found.target == "skitaid" or target == source or target.partition(".")[0] == source or allowed == FREE:
        return True
    # its own package's rows of the standard library are part of it; the root of the error tree is everybody's
    return target == "exceptions" or target in allowed


def judged() -> list[Import]:
    """The package's own __init__ is left out: it resolves the public names, lazily."""
    return [found for found in imports() if found.source != "skitaid" and is_ours(found.target)]


def test_the_table_is_read() -> None:
    assert RULES["config"] == {"exceptions", "logs", "protocols"}
    assert RULES["supervisor"] == {"config", "exceptions", "logs", "protocols"}
    assert RULES["protocols"] == frozenset()
    assert RULES["instance"] == RULES["cli"] == FREE


def test_imports_are_found() -> None:
    tree = ast.parse("import a.b\nif TYPE_CHECKING:\n    import c\ndef f():\n    import_module('d')\n")
    found = [target for node in ast.walk(tree) for target in targets(node, "skitaid.x", is_package=False)]
    assert sorted(found) == ["a.b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "is_package", "expected"),
    [
        ("from . import y", False, "skitaid.x"),
        ("from .y import z", False, "skitaid.x.y"),
        ("from .. import y", False, "skitaid"),
        ("from .y import z", True, "skitaid.x.m.y"),
        ("from a.b import z", False, "a.b"),
    ],
)
def test_relative_imports_are_resolved(text: str, is_package: bool, expected: str) -> None:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.ImportFrom)
    assert resolve(node, "skitaid.x.m", is_package=is_package) == expected


def test_a_wrong_import_would_be_seen() -> None:
    assert not is_allowed(Import("skitaid.supervisor.plan", "skitaid.engine.loop", 1))
    assert not is_allowed(Import("skitaid.supervisor.states", "skitaid.supervisor.plan", 1))
    assert not is_allowed(Import("skitaid.protocols.http1", "skitaid.logs.lines", 1))
    assert is_allowed(Import("skitaid.supervisor.plan", "skitaid.supervisor.states", 1))
    assert is_allowed(Import("skitaid.handlers.wsgi.app", "skitaid.engine.stream", 1))


def test_every_package_is_in_the_table() -> None:
    assert {part_of(module) for module in modules() if module != "skitaid"} <= set(RULES)


def test_each_package_imports_only_what_it_may() -> None:
    assert [str(found) for found in judged() if not is_allowed(found)] == []


def test_nobody_imports_the_composition_roots() -> None:
    roots = {part for part, allowed in RULES.items() if allowed == FREE}
    crossing = [
        str(found) for found in judged() if part_of(found.target) in roots and part_of(found.source) not in roots
    ]
    assert crossing == []


def test_the_standard_library_rows_import_nothing_else() -> None:
    bare = {part for part, allowed in RULES.items() if not allowed}

    def is_known(found: Import) -> bool:
        top = found.target.partition(".")[0]
        return top in sys.stdlib_module_names or top in CODECS.get(part_of(found.source), ())

    foreign = [
        str(found)
        for found in imports()
        if part_of(found.source) in bare and not is_ours(found.target) and not is_known(found)
    ]
    assert foreign == []


def circle_from(start: str, graph: Mapping[str, set[str]]) -> list[str]:
    """The modules on a path from `start` back to it, or nothing."""
    trail: dict[str, str] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for target in sorted(graph.get(module, set())):
            if target == start:
                circle = [module]
                while circle[-1] != start:
                    circle.append(trail[circle[-1]])
                return [*reversed(circle), start]
            if target not in trail:
                trail[target] = module
                waiting.append(target)
    return []


def test_a_circle_would_be_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circle_from("a", graph) == ["a", "b", "c", "a"]
    assert circle_from("d", graph) == []


def subpackage_of(module: str) -> str:
    """The subpackage that a module is in (`skitaid.atila.security`); one beside them stands for itself."""
    return ".".join(module.split(".")[:3])


def circles(name: Callable[[str], str]) -> list[list[str]]:
    graph: dict[str, set[str]] = {}
    for found in judged():
        source, target = name(found.source), name(found.target)
        if found.target in modules() and source != target:
            graph.setdefault(source, set()).add(target)
    return [circle for node in graph if (circle := circle_from(node, graph))]


def test_no_modules_import_in_a_circle() -> None:
    """Late imports and those for type checkers count: to read one of the modules is to read them all."""
    assert circles(str) == []


def test_no_subpackages_import_in_a_circle() -> None:
    assert circles(subpackage_of) == []


def test_the_page_has_every_subpackage() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| subpackage |")[2].partition("\n\n")[0]
    folders = {"/".join(path.relative_to(ROOT).parts[1:-1]) for path in modules().values()}
    assert sorted(re.findall(r"`(\w+/\w+)`", table)) == sorted(folder for folder in folders if "/" in folder)
