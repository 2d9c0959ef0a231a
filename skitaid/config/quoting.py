"""Quotes and trailing comments of the conf language: the same few rules for reading and for writing.

A quote opens only where a word starts (so that `it's` is a plain word) and only if it is closed again. Inside double
quotes a backslash escapes (`\\"`, `\\\\`, `\\n`, `\\r`, `\\t`); inside single quotes nothing does.
"""

from __future__ import annotations

__all__ = ["quote", "split_items", "strip_comment", "unquote"]

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_BLANK = " \t"


def strip_comment(text: str) -> str:
    """`text` without the comment that a blank and a semicolon start, blanks at both ends removed."""
    skip_to = 0
    for at, char in enumerate(text):
        if at < skip_to:
            continue
        if char in "\"'" and _starts_word(text, at):
            skip_to = _closing(text, at) + 1
        elif char == ";" and at and text[at - 1] in _BLANK:
            return text[:at].strip()
    return text.strip()


def unquote(text: str) -> str:
    """The meaning of one value: quotes around the whole of it go, anything else stays as written."""
    if text[:1] not in ("'", '"') or _closing(text, 0) != len(text) - 1:
        return text
    return text[1:-1] if text[0] == "'" else _unescape(text[1:-1])


def split_items(text: str) -> tuple[str, ...]:
    """The items of a comma list, each unquoted; empty ones are left out."""
    items = (item.strip() for item in _split_commas(text))
    return tuple(unquote(item) for item in items if item)


def quote(text: str, *, in_list: bool = False) -> str:
    """`text` as it has to be written so that `unquote` (or `split_items`) gives it back; plain where that will do."""
    plain = text == text.strip() and strip_comment(f" {text}") == text and unquote(text) == text
    # in a list a lone quote could find its partner in another item
    if plain and not _has_control(text) and not (in_list and (not text or any(char in text for char in ",\"'"))):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for letter, char in _ESCAPES.items():
        escaped = escaped.replace(char, f"\\{letter}")
    return f'"{escaped}"'


def _has_control(text: str) -> bool:
    return any(char in text for char in _ESCAPES.values())


def _starts_word(text: str, at: int) -> bool:
    return _closing(text, at) > 0 and (at == 0 or text[at - 1] in " \t,=")


def _closing(text: str, start: int) -> int:
    """The index of the quote that closes the one at `start`, or -1."""
    mark, at = text[start], start + 1
    while at < len(text):
        if text[at] == mark:
            return at
        at += 2 if text[at] == "\\" and mark == '"' else 1
    return -1


def _split_commas(text: str) -> list[str]:
    parts, start, skip_to = [], 0, 0
    for at, char in enumerate(text):
        if at < skip_to:
            continue
        if char in "\"'" and _starts_word(text, at):
            skip_to = _closing(text, at) + 1
        elif char == ",":
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _unescape(text: str) -> str:
    pieces, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
            pieces.append(_ESCAPES.get(text[at], text[at]))
        else:
            pieces.append(text[at])
        at += 1
    return "".join(pieces)
