"""Header fields of a mail, written (RFC 5322, section 2.2; RFC 2047; RFC 2231). Pure: text in, lines with CRLF out.

The email package reads a value before it writes it: it decodes an encoded word in a subject or a name, and the line
ends in that forge fields; it encodes what is long, though it may be a URL. Here values are written and never read.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable

__all__ = ["address_field", "field", "parameter", "subject_field"]

LINE_WIDTH = 76
"""Of a line with encoded words (RFC 2047, section 2)."""
WORD_OCTETS = 30
"""What one encoded word carries: 40 characters of base64."""
TOKEN_MAX = 900
"""Characters without a blank; more would not fit a line, which may have 998 octets."""
SECTION_MAX = 60
_TOKEN = re.compile(r"[ \t]*[^ \t]+")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \t-]*", re.ASCII)
"""What needs no quotes (RFC 5322, section 3.2.3)."""
_SHORT = re.compile(r"[ -~]{0,200}", re.ASCII)
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def field(name: str, value: str) -> str:
    """Any field: what is ASCII stays as it is, as its author knows what it means; other words are encoded. Raises
    UnicodeError for half a character."""
    return _folded(name, _tokens(value, _is_foreign))


def subject_field(name: str, value: str) -> str:
    """Text that is shown as it is given, also when it looks like an encoded word. Raises UnicodeError."""
    return _folded(name, _tokens(value, _looks_foreign))


def address_field(name: str, boxes: Iterable[tuple[str, str]]) -> str:
    """Names, "" for none, and addresses. Raises UnicodeError."""
    tokens: list[str] = []
    for shown, address in boxes:
        if tokens:
            tokens[-1] += ","
        phrase = _phrase(shown.strip(" \t"))
        tokens += [*phrase, f" <{address}>"] if phrase else [f" {address}"]
    return _folded(name, tokens)


def parameter(name: str, value: str) -> str:
    """What follows a MIME field: `; name="value"`, or UTF-8 in sections (RFC 2231, sections 3 and 4). Raises
    UnicodeError."""
    if _SHORT.fullmatch(value):
        return f";\r\n {name}={_quoted(value)}"
    octets = [chr(octet) if octet in _KEPT else f"%{octet:02X}" for octet in value.encode()]
    sections = ["utf-8''"]
    for octet in octets:
        if len(sections[-1]) + len(octet) > SECTION_MAX:
            sections.append("")
        sections[-1] += octet
    if len(sections) == 1:
        return f";\r\n {name}*={sections[0]}"
    return "".join(f";\r\n {name}*{number}*={section}" for number, section in enumerate(sections))


def _is_foreign(token: str) -> bool:
    return not token.isascii() or len(token) > TOKEN_MAX


def _looks_foreign(token: str) -> bool:
    return _is_foreign(token) or "=?" in token


def _phrase(shown: str) -> list[str]:
    if _looks_foreign(shown):
        return _encoded(shown)
    return _TOKEN.findall(shown if _PHRASE.fullmatch(shown) else _quoted(shown))


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _tokens(text: str, is_odd: Callable[[str], bool]) -> list[str]:
    """Words, each with the blanks before it. What lies between two encoded words is lost to who reads them, so it is
    encoded with them."""
    found: list[str] = []
    odd = ""
    for token in _TOKEN.findall(text.strip(" \t")):
        if is_odd(token):
            odd += token
        else:
            found += [*_encoded(odd), token]
            odd = ""
    return found + _encoded(odd)


def _encoded(text: str) -> list[str]:
    """In base64, cut between characters."""
    words: list[bytes] = []
    for c in text.lstrip(" \t"):
        octets = c.encode()
        if not words or len(words[-1]) + len(octets) > WORD_OCTETS:
            words.append(b"")
        words[-1] += octets
    return [f" =?utf-8?b?{b2a_base64(word, newline=False).decode()}?=" for word in words]


def _folded(name: str, tokens: Iterable[str]) -> str:
    """A long word stays beside the field's name, for who does not look in the next line; an encoded one may not."""
    lines, line = [], f"{name}:"
    for number, token in enumerate(tokens):
        word = token if token[0] in " \t" else f" {token}"
        if len(line) + len(word) > LINE_WIDTH and (number or word.startswith(" =?")):
            lines.append(line)
            line = ""
        line += word
    return "".join(f"{each}\r\n" for each in (*lines, line))
