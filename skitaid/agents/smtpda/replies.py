"""What an SMTP server answers (RFC 5321, section 4.2), and what it can do (section 4.1.1.1). Pure: bytes in, replies
out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skitaid.agents.smtpda.errors import DeliveryError

__all__ = ["Abilities", "Reply", "ReplyReader"]

REPLY_MAX_BYTES = 64 * 1024
"""RFC 5321 says 512 octets a line; servers that tell stories are read all the same, to an end."""
TEXT_MAX = 500
SIZE_DIGITS_MAX = 20
"""RFC 1870, section 4."""
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*?))?\r?\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A code and its text, several lines joined by blanks."""

    code: int
    text: str
    lines: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class ReplyReader:
    """Whole replies out of what was received."""

    def __init__(self) -> None:
        self._data = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def has_rest(self) -> bool:
        """Something came that no reply has used: nothing may be there where nothing was asked, as before TLS begins."""
        return bool(self._data or self._lines)

    @property
    def rest(self) -> str:
        """That, fit for a message."""
        return " ".join([*self._lines, *self._data.decode("utf-8", "replace").split()])

    def feed(self, data: bytes) -> None:
        self._data += data

    def next(self) -> Reply | None:
        """The next reply, None: more is needed. Raises DeliveryError for what is not a reply."""
        while b"\n" in self._data:
            line, _, self._data = self._data.partition(b"\n")
            reply = self._line(line + b"\n")
            if reply is not None:
                return reply
        if self._size + len(self._data) > REPLY_MAX_BYTES:
            raise DeliveryError(f"the server's reply is longer than {REPLY_MAX_BYTES} octets")
        return None

    def _line(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line)
        if found is None:
            raise DeliveryError(f"the server answered {line[:80]!r}, which is not a reply")
        self._size += len(line)
        self._lines.append((found[3] or b"").decode("utf-8", "replace"))
        if found[2] == b"-":
            return None
        lines, self._lines, self._size = tuple(self._lines), [], 0
        return Reply(int(found[1]), " ".join(" ".join(lines).split())[:TEXT_MAX], lines)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What EHLO was answered with: keyword in upper case → parameters."""

    keywords: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[str]) -> Abilities:
        """Of the lines behind the first."""
        found: dict[str, str] = {}
        for line in lines:
            keyword, _, rest = line.strip().partition(" ")
            name, equals, first = keyword.partition("=")  # AUTH=LOGIN, as old servers spell it
            found.setdefault(name.upper(), f"{first} {rest}".strip() if equals else rest.strip())
        return cls(found)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def mechanisms(self) -> frozenset[str]:
        return frozenset(self.keywords.get("AUTH", "").upper().split())

    @property
    def size_limit(self) -> int:
        """Octets; 0: none is known (RFC 1870)."""
        text = self.keywords.get("SIZE", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= SIZE_DIGITS_MAX else 0
