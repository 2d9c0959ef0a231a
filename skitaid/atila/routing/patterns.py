"""The paths of routes: `/pets/<int:id>/<name>`, read once, matched piece by piece and built from values. Pure.

`<int:NAME>`, `<float:NAME>`, `<path:NAME>` (the rest of the path, slashes and all, last) and `<NAME>`: a text in which
`_` reads as a space; `<path>` without a type is a path where it stands last. `<int:NAME>` takes the words `me`, `notme`
and `new` too, which are handed on as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from skitaid.exceptions import SkitaidError

__all__ = ["KINDS", "WORDS", "Literal", "Mixed", "Pattern", "RuleError", "Segment", "Variable", "parse", "to_text"]

WORDS: Final = frozenset({"me", "notme", "new"})
"""What an integer may be besides: whoever asks, all others, one that is not there yet."""

KINDS: Final = ("int", "float", "string", "path")
"""In the order in which they are tried."""

_LONGEST_MIXED: Final = 256
"""Characters of a segment of several pieces."""

_VARIABLE: Final = re.compile(r"<(?:([a-z]+):)?([^\W\d]\w*)>")
_INT: Final = re.compile(r"-?[0-9]{1,18}").fullmatch
_FLOAT: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?").fullmatch


class RuleError(SkitaidError):
    """The author of an app must act: a path of a route can't be read."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A segment that is as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A segment that is a value. `kind` is one of KINDS."""

    name: str
    kind: str

    def read(self, text: str) -> Any:
        """The value; None: `text` is none of this kind."""
        if self.kind == "string":
            return text.replace("_", " ") if text else None
        if self.kind == "int":
            return int(text) if _INT(text) else text if text in WORDS else None
        if self.kind == "float":
            return float(text) if _FLOAT(text) else None
        return text


@dataclass(frozen=True, slots=True)
class Mixed:
    """A segment of several pieces: `report-<int:year>.csv`."""

    pieces: tuple[Literal | Variable, ...]
    regex: re.Pattern[str]

    def read(self, text: str) -> list[Any] | None:
        """The values in their order; None: `text` is none of these."""
        # Several texts side by side can be told apart in many ways: a long one would take its time.
        match = self.regex.fullmatch(text) if len(text) <= _LONGEST_MIXED else None
        if match is None:
            return None
        values = [each.read(match[each.name]) for each in self.pieces if isinstance(each, Variable)]
        return None if None in values else values


Segment = Literal | Variable | Mixed


@dataclass(frozen=True, slots=True)
class Pattern:
    """A whole path. `is_folder`: it ends with a slash."""

    rule: str
    segments: tuple[Segment, ...]
    is_folder: bool

    @property
    def variables(self) -> tuple[Variable, ...]:
        """In the order in which they stand."""
        found: list[Variable] = []
        for each in self.segments:
            pieces = each.pieces if isinstance(each, Mixed) else (each,)
            found += [piece for piece in pieces if isinstance(piece, Variable)]
        return tuple(found)

    @property
    def is_static(self) -> bool:
        """Whether it is one path and no other."""
        return all(isinstance(each, Literal) for each in self.segments)

    @property
    def base(self) -> str:
        """What stands before the first value, with the slash."""
        return self.rule.partition("<")[0]

    def without_last(self) -> Pattern | None:
        """The path that is asked for when the last value is left out; None: there is none, or it is the root."""
        if len(self.segments) < 2 or not isinstance(self.segments[-1], Variable) or self.is_folder:
            return None
        rule = self.rule[: self.rule.rindex("/")]
        return Pattern(rule, self.segments[:-1], False)

    def build(self, values: dict[str, Any]) -> str:
        """The path with these values, quoted. One that is None ends it: `/episode`."""
        parts: list[str] = []
        for each in self.segments:
            text = _build(each, values)
            if text is None:
                return "/" + "/".join(parts)
            parts.append(text)
        return ("/" if self.rule else "") + "/".join(parts) + ("/" if self.is_folder and parts else "")


def parse(rule: str) -> Pattern:
    """Read a path. Raises RuleError."""
    if rule and not rule.startswith("/"):
        raise RuleError(f"route {rule!r} begins with no slash; write {'/' + rule!r}")
    parts = rule.split("/")[1:]
    is_folder = bool(parts) and parts[-1] == ""
    if is_folder:
        parts.pop()
    last = len(parts) - 1
    segments = tuple(_parse_segment(rule, part, is_last=at == last) for at, part in enumerate(parts))
    pattern = Pattern(rule, segments, is_folder)
    names = [each.name for each in pattern.variables]
    if len(set(names)) != len(names):
        raise RuleError(f"route {rule!r} has a value twice; give each a name of its own")
    return pattern


def to_text(value: Any, kind: str) -> str:
    """A value as it stands in a path, quoted."""
    if kind == "path":
        return quote(str(value), safe="/:@!$&'()*+,;=~-._")
    text = str(value)
    return quote(text.replace(" ", "_") if kind == "string" else text, safe=":@!$&'()*+,;=~-._")


def _parse_segment(rule: str, part: str, *, is_last: bool) -> Segment:
    pieces = list(_pieces(rule, part, is_last=is_last))
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return Literal("")
    if any(isinstance(each, Variable) and each.kind == "path" for each in pieces):
        raise RuleError(f"route {rule!r}: a path takes a segment of its own")
    regex = "".join(_regex(each) for each in pieces)
    return Mixed(tuple(pieces), re.compile(regex))


def _pieces(rule: str, part: str, *, is_last: bool) -> list[Literal | Variable]:
    found: list[Literal | Variable] = []
    at = 0
    for match in _VARIABLE.finditer(part):
        if match.start() > at:
            found.append(Literal(part[at : match.start()]))
        found.append(_variable(rule, match[1], match[2], is_last=is_last and match[0] == part))
        at = match.end()
    if at < len(part):
        found.append(Literal(part[at:]))
    if any(isinstance(each, Literal) and ("<" in each.text or ">" in each.text) for each in found):
        raise RuleError(f"route {rule!r}: expected <name>, <int:name>, <float:name> or <path:name> in {part!r}")
    return found


def _variable(rule: str, kind: str | None, name: str, *, is_last: bool) -> Variable:
    if kind is None:
        kind = "path" if name == "path" and is_last else "string"
    kind = "string" if kind == "str" else kind
    if kind not in KINDS:
        raise RuleError(f"route {rule!r}: there is no type {kind!r}; there are int, float, path and string")
    if kind == "path" and not is_last:
        raise RuleError(f"route {rule!r}: a path must stand last, on its own")
    return Variable(name, kind)


def _regex(piece: Literal | Variable) -> str:
    if isinstance(piece, Literal):
        return re.escape(piece.text)
    inner = {"int": r"-?[0-9]+|me|notme|new", "float": r"-?[0-9]+(?:\.[0-9]+)?", "string": ".+?"}[piece.kind]
    return f"(?P<{piece.name}>{inner})"


def _build(segment: Segment, values: dict[str, Any]) -> str | None:
    if isinstance(segment, Literal):
        return quote(segment.text, safe=":@!$&'()*+,;=~-._")
    if isinstance(segment, Variable):
        value = values.get(segment.name)
        return None if value is None else to_text(value, segment.kind)
    texts = [_build(each, values) for each in segment.pieces]
    return None if None in texts else "".join(text for text in texts if text is not None)
