"""The YAML form of a conf file: the same sections as mappings, `routes` and `crontab` as lists.

Scalars are taken as they are written, not as YAML 1.1 would resolve them: `010` stays "010" (and is refused where a
number is expected) and not 8, `12:30` is no 750, `no` is no surprise. The nodes are composed, never constructed: their
line numbers are needed, and no tag can make an object.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from skitaid.config.document import Document, Entry, Line, Section, Value
from skitaid.config.quoting import quote, split_items
from skitaid.config.report import Report

__all__ = ["read_yaml"]

NULL_TAG = "tag:yaml.org,2002:null"
MERGE_TAG = "tag:yaml.org,2002:merge"
LINE_SECTIONS = frozenset({"routes", "crontab"})
MAX_DEPTH = 4
"""routes → item → routes → item: nothing in a conf is nested deeper."""


def read_yaml(text: str, report: Report) -> Document:
    """Parse YAML text. Problems go to `report`; what could be read is returned."""
    node = _compose(text, report)
    if node is None:
        return Document(report.path)
    if not isinstance(node, MappingNode):
        report.error(_line(node), "is not a mapping: expected sections such as `server:`")
        return Document(report.path)
    return Document(report.path, _Sections(report).read(node))


def _compose(text: str, report: Report) -> Node | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node: Node | None = yaml.compose(text, Loader=loader)
        return node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        report.error(mark.line + 1 if mark else 0, f"is not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        report.error(0, f"is not YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        report.error(0, "is nested too deeply: expected sections of keys and values")
    return None


class _Sections:
    def __init__(self, report: Report) -> None:
        self._report = report

    def read(self, node: MappingNode) -> dict[str, Section]:
        sections: dict[str, Section] = {}
        for key, value in self._pairs(node, ""):
            name = key.value.strip().removesuffix(":line")
            section = self._section(name, key, value)
            if section is not None:
                sections[name] = section
        return sections

    def _section(self, name: str, key: ScalarNode, node: Node) -> Section | None:
        line = _line(key)
        if name in LINE_SECTIONS:
            items = self._sequence(node, name)
            lines = self._routes(items) if name == "routes" else self._commands(items)
            return Section(name, line, has_lines=True, lines=tuple(lines))
        if _is_null(node):
            return Section(name, line)
        if not isinstance(node, MappingNode):
            self._report.error(_line(node), f"[{name}] is not a mapping: expected keys and values below it")
            return None
        return Section(name, line, entries=tuple(self._entries(node, name)))

    def _entries(self, node: MappingNode, section: str) -> Iterator[Entry]:
        for key, value in self._pairs(node, section):
            where = f"[{section}] {key.value}"
            if isinstance(value, MappingNode) and key.value == "config":
                for name, inner in self._pairs(value, f"{section}] [config"):
                    yield from self._entry(f"config.{name.value}", inner, f"{where}.{name.value}")
            else:
                yield from self._entry(key.value, value, where)

    def _entry(self, key: str, node: Node, where: str) -> Iterator[Entry]:
        value = self._value(node, where)
        if value is not None:
            yield Entry(key, value)

    def _value(self, node: Node, where: str) -> Value | None:
        if isinstance(node, ScalarNode):
            text = self._text(node, where)
            return None if text is None else Value(text, split_items(text), _line(node))
        if isinstance(node, SequenceNode):
            texts = [self._scalar(item, where) for item in node.value]
            items = tuple(text for text in texts if text is not None)
            return Value(", ".join(items), items, _line(node), is_list=True)
        self._report.error(_line(node), f"{where} is a mapping: expected one value or a list")
        return None

    def _scalar(self, node: Node, where: str) -> str | None:
        if isinstance(node, ScalarNode):
            return self._text(node, where)
        self._report.error(_line(node), f"{where}: expected text, found a {_kind(node)}", "put it in quotes")
        return None

    def _text(self, node: Node, where: str) -> str | None:
        text = "" if _is_null(node) else str(node.value)
        if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
            self._report.error(_line(node), f"{where} holds a control character", "remove it")
            return None
        return text

    def _commands(self, items: list[Node]) -> Iterator[Line]:
        for item in items:
            text = self._scalar(item, "[crontab]")
            if text is None:
                continue
            if "\n" in text.strip():
                self._report.error(_line(item), "[crontab] a job is one line", "write the newline as %")
            else:
                yield Line(text.strip(), _line(item))

    def _routes(self, items: list[Node], depth: int = 1) -> Iterator[Line]:
        for item in items:
            if not isinstance(item, MappingNode):
                self._report.error(_line(item), f"[routes] found a {_kind(item)}: expected `- /path: target`")
                continue
            pairs = {key.value: (key, node) for key, node in self._pairs(item, "routes")}
            if "host" in pairs:
                yield from self._host(pairs, depth)
            else:
                for key, node in pairs.values():
                    yield from self._route(key, node)

    def _route(self, key: ScalarNode, node: Node) -> Iterator[Line]:
        target = self._scalar(node, f"[routes] {key.value}")
        if target is not None:
            yield Line(f"{key.value} = {quote(target)}", _line(key))

    def _host(self, pairs: dict[str, tuple[ScalarNode, Node]], depth: int) -> Iterator[Line]:
        key, names = pairs.pop("host")
        value = self._value(names, "[routes] host")
        if value is not None:
            yield Line(f": {' '.join(value.items) if value.is_list else value.text}", _line(key))
        _, routes = pairs.pop("routes", (None, None))
        for unknown, (where, _) in pairs.items():
            self._report.error(_line(where), f"[routes] {unknown} beside host: expected host and routes only")
        if routes is not None and depth < MAX_DEPTH // 2:
            yield from self._routes(self._sequence(routes, "routes"), depth + 1)
        elif routes is not None:
            self._report.error(_line(key), "[routes] a host inside a host", "move it one level out")

    def _sequence(self, node: Node, name: str) -> list[Node]:
        if _is_null(node):
            return []
        if not isinstance(node, SequenceNode):
            self._report.error(_line(node), f"[{name}] is a {_kind(node)}: expected a list, each item after `- `")
            return []
        return list(node.value)

    def _pairs(self, node: MappingNode, section: str) -> Iterator[tuple[ScalarNode, Node]]:
        """Keys and values; a key that is not a text, a merge or a duplicate is reported and left out."""
        seen: dict[str, int] = {}
        where = f"[{section}] " if section else ""
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag == MERGE_TAG:
                self._report.error(_line(key), f"{where}a key that is a {_kind(key)}: expected plain text")
            elif key.value in seen:
                first = seen[key.value]
                self._report.error(_line(key), f"{where}{key.value} is already set at line {first}", "keep one")
            else:
                seen[key.value] = _line(key)
                yield key, value


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == NULL_TAG


def _kind(node: Node) -> str:
    if node.tag == MERGE_TAG:
        return "merge (<<)"
    if isinstance(node, SequenceNode):
        return "list"
    return "mapping" if isinstance(node, MappingNode) else "single value"
