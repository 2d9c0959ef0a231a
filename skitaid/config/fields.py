"""The kinds of value a key may have: each reads what was written, says what it expects, and can show a value again.

A reader raises `UnfitError`; where the value stands is known to the caller only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from skitaid.config.document import Value
from skitaid.config.report import UnfitError, did_you_mean

__all__ = [
    "TRUE_WORDS",
    "Kind",
    "Place",
    "account",
    "choice",
    "convert",
    "each",
    "identifier",
    "number",
    "optional",
    "scalar",
    "seconds",
    "sequence",
    "size",
    "text",
    "truth",
    "whole",
    "whole_seconds",
]

Shown = str | tuple[str, ...]
DAY_S = 86400
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of a file stand: the file, the folder its relative paths start at, that of certificates."""

    path: str
    folder: Path
    cert: Path


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a key are read and shown. `expected` completes "expected …". `read` raises UnfitError. `show` is
    its inverse, for `dump`."""

    expected: str
    read: Callable[[Value, Place], Any]
    show: Callable[[Any], Shown] = str
    is_list: bool = False
    takes_empty: bool = False


def convert(kind: Kind, value: Value, place: Place) -> Any:
    """The meaning of `value`. Raises UnfitError."""
    if value.is_list and not kind.is_list:
        raise UnfitError("is a list", "write one value")
    if not value.text and not kind.takes_empty:
        raise UnfitError(fix="give it a value or remove the line")
    return kind.read(value, place)


def scalar(expected: str, parse: Callable[[str], Any], show: Callable[[Any], str] = str) -> Kind:
    """A kind that needs only the text."""
    return Kind(expected, lambda value, place: parse(value.text), show)


def optional(kind: Kind) -> Kind:
    """The same kind, and an empty value is None."""
    return replace(
        kind,
        read=lambda value, place: kind.read(value, place) if value.text else None,
        show=lambda found: "" if found is None else kind.show(found),
        takes_empty=True,
    )


def sequence(expected: str, parse: Callable[[str, Place], Any], show: Callable[[Any], str] = str) -> Kind:
    """A comma list (in YAML also a list) of items; may be empty."""
    return Kind(
        expected,
        lambda value, place: each(value.items, lambda item: parse(item, place)),
        lambda found: tuple(show(item) for item in found),
        is_list=True,
        takes_empty=True,
    )


def each(items: Iterable[str], parse: Callable[[str], Found]) -> tuple[Found, ...]:
    """The meaning of every item. Raises UnfitError that tells of all the items that do not fit."""
    found, unfit = [], []
    for item in items:
        try:
            found.append(parse(item))
        except UnfitError as error:
            unfit.append(error)
    if unfit:
        fixes = dict.fromkeys(error.fix for error in unfit if error.fix)
        raise UnfitError("; ".join(error.text for error in unfit if error.text), "; ".join(fixes))
    return tuple(found)


# ---------------------------------------------------------------- truth and numbers


TRUTHS = {"yes": True, "on": True, "true": True, "1": True, "no": False, "off": False, "false": False, "0": False}


TRUE_WORDS = frozenset(word for word, is_true in TRUTHS.items() if is_true)


def _parse_truth(word: str) -> bool:
    found = TRUTHS.get(word.lower())
    if found is None:
        raise UnfitError
    return found


def show_truth(found: bool) -> str:
    return "yes" if found else "no"


def truth() -> Kind:
    return scalar("yes or no", _parse_truth, show_truth)


def whole(low: int, high: int) -> Kind:
    """A whole number within a range, both ends included."""
    return scalar(f"a whole number from {low} to {high}", lambda word: _within(_parse_whole(word), low, high))


def number(low: float, high: float) -> Kind:
    return scalar(
        f"a number from {show_number(low)} to {show_number(high)}",
        lambda word: _within(_parse_number(word), low, high),
        show_number,
    )


def _parse_whole(word: str) -> int:
    if re.fullmatch(r"0[0-9_]+", word):
        # YAML 1.1 and C mean octal by it, people mean decimal: nobody is served by a guess
        plain = word.lstrip("0") or "0"
        raise UnfitError("starts with a zero, which some read as octal", f"write {plain}")
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", word, re.ASCII):
        raise UnfitError(fix=_number_hint(word))
    return int(word)


def _parse_number(word: str) -> float:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", word, re.ASCII):
        raise UnfitError(fix=_number_hint(word))
    return float(word)


def _number_hint(word: str) -> str:
    if " #" in word:
        return "a comment after a value starts with a blank and ;"
    if re.fullmatch(r"[0-9]+:[0-9:]+", word):
        return "a time of day or an address is not a number"
    return ""


def _within(found: Any, low: float, high: float) -> Any:
    if not low <= found <= high:
        raise UnfitError
    return found


def show_number(found: float) -> str:
    return str(int(found)) if found == int(found) else repr(found)


# ---------------------------------------------------------------- seconds and bytes


_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": DAY_S}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _parse_seconds(word: str) -> float:
    found = re.fullmatch(r"([0-9.]+)\s*(ms|[smhd]?)", word, re.ASCII)
    if not found:
        raise UnfitError(fix=_number_hint(word))
    # rounded, because 100 * 0.001 would else show as 0.1000000001
    return round(_parse_number(found[1]) * _SECONDS[found[2] or "s"], 9)


def seconds(low: float, high: float) -> Kind:
    """A duration, a float: `10`, `0.5`, `500ms`, `10s`, `2m`, `1h`, `1d`."""
    limits = f"from {show_number(low)} to {show_number(high)}"
    return scalar(
        f"seconds {limits} (or 500ms, 2m, 1h, 1d)",
        lambda word: _within(_parse_seconds(word), low, high),
        show_number,
    )


def whole_seconds(low: int, high: int) -> Kind:
    """A duration in whole seconds, an int."""
    return scalar(
        f"whole seconds from {low} to {high} (or 2m, 1h, 1d)",
        lambda word: _entire(_within(_parse_seconds(word), low, high)),
    )


def _entire(found: float) -> int:
    if found != int(found):
        raise UnfitError
    return int(found)


def _parse_size(word: str) -> int:
    found = re.fullmatch(r"([0-9]+)\s*([kmg]?)(?:i?b)?", word.lower(), re.ASCII)
    if not found:
        raise UnfitError(fix=_number_hint(word))
    return _parse_whole(found[1]) * _BYTES[found[2]]


def size(high: int) -> Kind:
    """Bytes, an int: `512`, `64k`, `10m`, `1g` (powers of 1024)."""
    return scalar(f"bytes up to {high} (or 64k, 10m, 1g)", lambda word: _within(_parse_size(word), 0, high))


# ---------------------------------------------------------------- words


def text() -> Kind:
    """One line of text; may be empty."""
    return replace(scalar("one line of text", parse_text), takes_empty=True)


def parse_text(found: str) -> str:
    """`found`, if it is one line. Raises UnfitError."""
    if any(ord(char) < 32 or ord(char) == 127 for char in found):
        raise UnfitError("holds a control character", "write it on one line")
    return found


def choice(*known: str) -> Kind:
    """One of a few words, in lower case."""

    def parse(word: str) -> str:
        if word.lower() not in known:
            raise UnfitError(fix=did_you_mean(word, known))
        return word.lower()

    return scalar(" or ".join((", ".join(known[:-1]), known[-1])), parse)


def identifier(word: str, what: str) -> str:
    """`word`, if it can name a thing: a letter or _, then letters, digits, `_`, `-`, `.`. Raises UnfitError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", word, re.ASCII):
        raise UnfitError(f"{word!r} is not the {what}", "use letters, digits, _ and -")
    return word


def account(database: str) -> Kind:
    """A `user` or a `group` of this machine, by name or number, as text."""
    return scalar(f"a {database} of this machine", lambda word: _find_account(word, database))


def _find_account(word: str, database: str) -> str:
    import grp  # imported late: most confs name no account, and a name service may load much
    import pwd

    by_name, by_id = (pwd.getpwnam, pwd.getpwuid) if database == "user" else (grp.getgrnam, grp.getgrgid)
    try:
        _ = by_id(int(word)) if word.isascii() and word.isdigit() else by_name(word)
    except (KeyError, OverflowError):
        names = [entry[0] for entry in (pwd.getpwall() if database == "user" else grp.getgrall())]
        add = "adduser --system" if database == "user" else "addgroup --system"
        nearest = did_you_mean(word, names, at_most=0) if len(names) < 2000 else ""
        raise UnfitError(f"there is no such {database}", nearest or f"create it: {add} {word}") from None
    return word
