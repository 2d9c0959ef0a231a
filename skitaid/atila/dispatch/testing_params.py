"""`@app.test_params("ARGS", ["id"], ints=["id"], a__gte=5)`: what the values of a request must be.

`required`, `ints`, `floats`, `emails`, `uuids` are names. `NAME__between=(low, high)`, `__in`, `__eq`, `__neq`, `__gt`,
`__gte`, `__lt`, `__lte` compare a value, or its length: `NAME__len=4`, `NAME__len__between=(4, 8)`. `NAME=regex` is a
compiled expression that is found in the value, or what it must be equal to. A value that is not there passes unless
it is required. A value compared with a number is read as one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from skitaid.exceptions import SkitaidError
from skitaid.was.errors import HTTPError

__all__ = ["TestError", "make_guard"]

SCOPES: Final = ("DEFAULT", "URL", "PARAMS", "FORM", "JSON", "DATA", "ARGS")
_EMAIL: Final = re.compile(r"[^@\s<>()\[\],;:\\\"]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}").fullmatch

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}").fullmatch

Test = Callable[[Any], bool]


class TestError(SkitaidError):
    """The author of an app must act: a test of parameters can't be read."""

    __test__ = False  # no test for pytest


def _int(value: Any) -> None:
    """Raises ValueError for what other readers than Python's would take for another number, or for none."""
    is_one = _INTEGER(value) is not None if isinstance(value, str) else type(value) is int
    if not is_one:
        raise ValueError("no integer")


def _float(value: Any) -> None:
    """Raises ValueError, TypeError; NaN and infinity are none that anybody asks for."""
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise ValueError("no number")


_KINDS: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "ints": (_int, "an integer"),
    "floats": (_float, "a number"),
    "emails": (lambda value: _required_match(_EMAIL(value)), "an e-mail address"),
    "uuids": (UUID, "a UUID"),
}

_OPERATORS: Final[dict[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "between": (lambda value, two: bool(two[0] <= value <= two[1]), "between"),
    "in": (lambda value, many: value in many, "one of"),
    "eq": (lambda value, other: bool(value == other), ""),
    "neq": (lambda value, other: bool(value != other), "other than"),
    "gt": (lambda value, other: bool(value > other), "greater than"),
    "gte": (lambda value, other: bool(value >= other), "at least"),
    "lt": (lambda value, other: bool(value < other), "less than"),
    "lte": (lambda value, other: bool(value <= other), "at most"),
}


def make_guard(scope: str, required: Any, tests: Mapping[str, Any]) -> Callable[[Any], None]:
    """A guard (skitaid.atila.dispatch.marks) that answers 400. Raises TestError."""
    if scope not in SCOPES:
        raise TestError(f"test_params: expected one of {', '.join(SCOPES)} as scope, not {scope!r}")
    needed = _names(required)
    checks = [check for name, given in tests.items() for check in _read(name, given)]

    def guard(was: Any) -> None:
        values = getattr(was.request, scope)
        if not isinstance(values, Mapping):
            values = {}
        for name in needed:
            if values.get(name) in (None, ""):
                raise HTTPError("400 Bad Request", f"parameter {name} required")
        for name, check in checks:
            value = values.get(name)
            if value is not None:
                check(value)

    return guard


def _read(name: str, given: Any) -> Iterable[tuple[str, Callable[[Any], None]]]:
    if name in _KINDS:
        read, kind = _KINDS[name]
        return [(each, _kind_check(each, read, kind)) for each in _names(given)]
    subject, _, rest = name.partition("__")
    measure: Callable[[Any], Any] | None = None
    if rest == "len" or rest.startswith("len__"):
        measure, rest = len, rest[5:] or "eq"
    if not rest and isinstance(given, re.Pattern):
        return [(subject, _regex_check(subject, given))]
    operator = rest or "eq"
    if operator not in _OPERATORS:
        raise TestError(f"test_params: {name}: there is no {operator!r}; there are {', '.join(_OPERATORS)}, and len")
    return [(subject, _comparison(subject, operator, given, measure))]


def _kind_check(name: str, read: Callable[[Any], Any], kind: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        try:
            read(value if not isinstance(value, str) else value.strip())
        except (TypeError, ValueError, AttributeError) as error:
            raise HTTPError("400 Bad Request", f"parameter {name} should be {kind}") from error

    return check


def _regex_check(name: str, regex: re.Pattern[str]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        # A name that comes twice has a list, and JSON has objects.
        if not isinstance(value, (str, int, float)) or regex.search(str(value)) is None:
            raise HTTPError("400 Bad Request", f"parameter {name} should match {regex.pattern}")

    return check


def _comparison(name: str, operator: str, given: Any, measure: Callable[[Any], Any] | None) -> Callable[[Any], None]:
    compare, word = _OPERATORS[operator]
    what = f"the length of parameter {name}" if measure is not None else f"parameter {name}"

    def check(value: Any) -> None:
        try:
            found = measure(value) if measure is not None else _as(given, value)
            is_right = compare(found, given)
        except (TypeError, ValueError) as error:
            raise HTTPError("400 Bad Request", f"{what} can't be compared with {given!r}") from error
        if not is_right:
            raise HTTPError("400 Bad Request", f"{what} should be {f'{word} {given!r}'.strip()}")

    return check


def _as(given: Any, value: Any) -> Any:
    """A text is read as the number that it is compared with."""
    sample = given[0] if isinstance(given, (tuple, list)) and given else given
    if isinstance(value, str) and isinstance(sample, (int, float)) and not isinstance(sample, bool):
        return float(value) if "." in value or isinstance(sample, float) else int(value)
    return value


def _names(given: Any) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _required_match(match: Any) -> Any:
    if match is None:
        raise ValueError("no match")
    return match
