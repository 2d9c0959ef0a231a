"""The request log's lines: one record, a plain tuple, to one line of ASCII or one JSON object. Nothing here does I/O.

The fields of a line, blank-separated, `-` for what is absent:

    date time client host method uri version request-bytes status reply-bytes gtxn ltxn "user" token "referer"
    "user agent" x-forwarded-for worker connections handling-ms transfer-ms

User, referer and user agent stand in double quotes when there is one; inside, `"` and `\\` have a backslash before
them. In every other field a blank is `\\x20`. What does not print, and what is not ASCII, is escaped as Python does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

__all__ = ["FIELDS", "LogOff", "Record", "format_json", "line_formatter", "plain", "quoted", "stamp_of"]

Record = tuple[
    float, str, str | None, str, str, str, int, int, int, str, str,
    str | None, str | None, str | None, str | None, str | None, int, float, float,
]  # fmt: skip
"""What the engine hands over, in the order of `FIELDS`. A plain tuple: it is built once per request."""

FIELDS = (
    "time",  # seconds since the epoch, float
    "client",  # the peer's address
    "host",  # Host header or None
    "method",
    "uri",  # as sent, with its query
    "version",  # "1.1", "1.0", "2"
    "request_bytes",  # body
    "status",
    "reply_bytes",  # body
    "gtxn",
    "ltxn",
    "user",  # HTTP authentication's user or None
    "token",  # bearer token or None
    "referer",
    "agent",
    "forwarded_for",
    "connections",  # active when logged
    "handle_ms",
    "transfer_ms",
)

CACHE_ENTRIES = 256
CACHE_TEXT_MAX = 512
"""Bounds of the tables of texts: at most 256 kB each, whatever clients send."""

_BLANKS = 5
"""Blanks between the unquoted fields that are checked together, see `line_formatter`."""


class LogOff:
    """Paths that are not logged: `/static/` (starts with), `*.css` (ends with), `*/feed*` (holds). `matches`: whether a
    request for a target (its query does not count) stays out of the log; what was asked before is looked up."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = [pattern for pattern in patterns if pattern.strip("*")]
        self._starts = tuple(p.rstrip("*") for p in given if p[0] != "*")
        self._ends = tuple(p.lstrip("*") for p in given if p[0] == "*" and p[-1] != "*")
        self._holds = tuple(p.strip("*") for p in given if p[0] == "*" and p[-1] == "*")
        self.matches: Callable[[str], bool] = _Verdicts(self._look_at).__getitem__

    def __bool__(self) -> bool:
        return bool(self._starts or self._ends or self._holds)

    def _look_at(self, uri: str) -> bool:
        path = uri.partition("?")[0] if "?" in uri else uri
        if path.startswith(self._starts) or path.endswith(self._ends):
            return True
        return any(text in path for text in self._holds)


class _Verdicts(dict[str, bool]):
    """Targets to what `look_at` says of them; bounded, as clients choose them."""

    def __init__(self, look_at: Callable[[str], bool]) -> None:
        self._look_at = look_at

    def __missing__(self, uri: str) -> bool:
        verdict = self._look_at(uri)
        if len(uri) <= CACHE_TEXT_MAX:
            if len(self) >= CACHE_ENTRIES:
                self.clear()
            self[uri] = verdict
        return verdict


class _Quoted(dict[str | None, str]):
    """Text to its quoted form; bounded, as clients choose the texts."""

    def __missing__(self, text: str | None) -> str:
        made = quoted(text)
        if len(made) <= CACHE_TEXT_MAX:
            if len(self) >= CACHE_ENTRIES:
                self.clear()
            self[text] = made
        return made


def line_formatter(worker: str) -> Callable[[Record], str]:
    """A function from record to line (with its newline) for the worker `worker` (`M`, `W0`, …).

    It keeps the text of the current second and of quoted fields seen before; for one thread only.
    """
    quoted_texts = _Quoted()
    second = -1
    stamp = ""

    def format_line(record: Record) -> str:
        nonlocal second, stamp
        (
            now, client, host, method, uri, version, request_bytes, status, reply_bytes, gtxn, ltxn,
            user, token, referer, agent, forwarded_for, connections, handle_ms, transfer_ms,
        ) = record  # fmt: skip
        if int(now) != second:
            second = int(now)
            stamp = stamp_of(second)
        head = f"{client or '-'} {host or '-'} {method or '-'} {uri or '-'} {gtxn or '-'} {ltxn or '-'}"
        # One look at all the fields that may hold no blank and nothing that does not print.
        if head.count(" ") != _BLANKS or not head.isascii() or not head.isprintable():
            client, host, method, uri, gtxn, ltxn = map(plain, (client, host, method, uri, gtxn, ltxn))
        if token or forwarded_for:
            token, forwarded_for = plain(token), plain(forwarded_for)
        return (
            f"{stamp} {client or '-'} {host or '-'} {method or '-'} {uri or '-'} HTTP/{version} {request_bytes} "
            f"{status} {reply_bytes} {gtxn or '-'} {ltxn or '-'} {quoted_texts[user]} {token or '-'} "
            f"{quoted_texts[referer]} {quoted_texts[agent]} {forwarded_for or '-'} {worker} {connections} "
            f"{handle_ms:.0f} {transfer_ms:.0f}\n"
        )

    return format_line


def stamp_of(second: int) -> str:
    """Date and time of a line, local, for seconds since the epoch."""
    return time.strftime("%Y.%m.%d %H:%M:%S", time.localtime(second))


def format_json(record: Record, worker: str) -> str:
    """The record as one JSON object and a newline; `time` stays seconds since the epoch, absent fields are null."""
    import json  # on request only

    return json.dumps(dict(zip(FIELDS, record, strict=True)) | {"worker": worker}, separators=(",", ":")) + "\n"


def plain(text: str | None) -> str:
    """A field that holds no blank; "-" when it is absent."""
    return _escape(text, blank="\\x20") if text else "-"


def quoted(text: str | None) -> str:
    """A field that may hold blanks, in quotes; "-" when it is absent."""
    if not text:
        return "-"
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        # What nearly every client sends; letter by letter a user agent costs 6 µs.
        return f'"{text}"'
    return f'"{_escape(text, blank=" ")}"'


def _escape(text: str, *, blank: str) -> str:
    """ASCII that prints, without a bare quote."""
    if text.isascii() and text.isprintable() and not any(c in text for c in ' "\\'):
        return text
    table = {" ": blank, '"': '\\"', "\\": "\\\\"}
    return "".join(table.get(c) or (c if c.isascii() and c.isprintable() else _code(c)) for c in text)


def _code(c: str) -> str:
    return c.encode("unicode_escape").decode("ascii")
