"""The heads of responses, as whoever calls a server hears them (RFC 9110 section 15, RFC 9112 section 4).

What fields mean differs from a request's: Host says nothing, a repeated Content-Length is fine if it says the same
twice, and nothing is hearsay. Servers repeat themselves as clients do, so whole heads are kept, raw head to
`ResponseHead`. A head met before costs 0.1 µs.
"""

from __future__ import annotations

import re
from typing import Final

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine, HeaderBlock, note_connection, note_upgrade, parse_lines, tokens
from skitaid.protocols.kept import Kept

__all__ = ["ResponseFields", "ResponseHead", "parse_response_head"]

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.(\d) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*+))?").fullmatch
_LENGTH: Final = re.compile(rb"\d{1,18}").fullmatch
_MAX_HEADS: Final = 512
_MAX_BYTES: Final = 262144
_MAX_HEAD_BYTES: Final = 2048


class ResponseFields(HeaderBlock):
    """The fields of a response; `pairs` are all of them, with one Content-Length for several that agree: a recipient
    who does not forgive that is not to see it (RFC 9110 section 8.6)."""

    __slots__ = ()

    def __init__(self, lines: list[FieldLine]) -> None:
        super().__init__([])
        for line in lines:
            note = _NOTES.get(line.name)
            if note is not None:
                note(self, line.value)
        self.fields = lines if self.content_length is None else _with_one_length(lines)
        if self.upgrade is not None and b"upgrade" not in tokens(self.get(b"connection") or b""):
            self.upgrade = None

    @property
    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names in lower case, and values, in the order they came; Set-Cookie lines stay apart."""
        if self._pairs is None:
            self._pairs = tuple((line.name, line.value) for line in self.fields)
        return self._pairs


class ResponseHead:
    """The head of a final or an informational response. Immutable by convention: heads are shared between responses.

    `content_length` in bytes, None when it is not known before the end; of a response to HEAD, and of 304, it is that
    of the body that is not sent. `minor`: of the server's HTTP version, 1 for HTTP/2. `is_persistent`: the connection
    may be used again, as far as the server goes (RFC 9112 section 9.3). `body_length`: of the body that follows, if the
    request was not HEAD or CONNECT; -1 where that takes a closer look. `keep_alive_s`: how long the server keeps an
    idle connection open, if it says so (Keep-Alive, RFC 2068 section 19.7.1.1). `kept`: whatever passes heads on keeps
    here what it made of this one.
    """

    __slots__ = (
        "body_length", "content_length", "fields", "is_persistent", "keep_alive_s", "kept", "minor", "reason",
        "status",
    )  # fmt: skip

    def __init__(
        self, status: int, reason: bytes, fields: HeaderBlock, *, minor: int = 1, content_length: int | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.minor = minor
        self.content_length = content_length
        self.kept: object = None
        self.keep_alive_s: float | None = None
        self.is_persistent = not fields.wants_close and (bool(minor) or fields.wants_keep_alive)
        has_length = content_length is not None and status >= 200 and status not in (204, 304)
        self.body_length = content_length if has_length and content_length is not None else -1


def parse_response_head(raw: bytes) -> ResponseHead:
    """A whole head without the empty line that ends it. Raises ProtocolError 502 for what can't be read in one way
    only."""
    head = _KEPT.found.get(raw)
    if head is not None:
        return head
    first, _, rest = raw.partition(b"\r\n")
    match = _STATUS_LINE(first)
    if match is None:
        raise ProtocolError(502, "the status line is not 'HTTP/1.1 200 OK'")
    minor, status, reason = match.groups()
    fields = ResponseFields(parse_lines(rest))
    head = ResponseHead(
        int(status), reason or b"", fields, minor=0 if minor == b"0" else 1, content_length=fields.content_length
    )
    _check_framing(head)
    head.keep_alive_s = _keep_alive(fields.get(b"keep-alive") or b"")
    if len(raw) <= _MAX_HEAD_BYTES:
        _KEPT.offer(raw, head, len(raw))
    return head


def _with_one_length(lines: list[FieldLine]) -> list[FieldLine]:
    """Of lengths that agree the first."""
    first = next(line for line in lines if line.name == b"content-length")
    one = first.with_value(first.value.partition(b",")[0].strip(b" \t")) if b"," in first.value else first
    return [one if line is first else line for line in lines if line is first or line.name != b"content-length"]


def _keep_alive(value: bytes) -> float | None:
    for part in value.split(b","):
        name, _, seconds = part.strip(b" \t").partition(b"=")
        if name.lower() == b"timeout" and _LENGTH(seconds):
            return float(seconds)
    return None


def _check_framing(head: ResponseHead) -> None:
    """RFC 9112 section 6.1 and 6.3: where it can be read in two ways, a guess is how responses are smuggled."""
    fields = head.fields
    if fields.transfer_encoding is None:
        return
    if not fields.is_chunked:
        raise ProtocolError(502, "the only Transfer-Encoding understood is chunked")
    if fields.content_length is not None:
        raise ProtocolError(502, "both Transfer-Encoding and Content-Length are given")
    if not head.minor:
        raise ProtocolError(502, "HTTP/1.0 has no Transfer-Encoding")


_KEPT: Final[Kept[bytes, ResponseHead]] = Kept(_MAX_HEADS, _MAX_BYTES)


def _note_content_length(block: HeaderBlock, value: bytes) -> None:
    """RFC 9112 section 6.3, rule 5: a list of equal lengths is that length; anything else is none at all."""
    for part in value.split(b","):
        given = part.strip(b" \t")
        if not _LENGTH(given) or block.content_length not in (None, int(given)):
            raise ProtocolError(502, "Content-Length is not one decimal number")
        block.content_length = int(given)


def _note_transfer_encoding(block: HeaderBlock, value: bytes) -> None:
    if block.transfer_encoding is not None:
        raise ProtocolError(502, "Transfer-Encoding is given twice")
    block.transfer_encoding = value
    block.is_chunked = value.lower() == b"chunked"


_NOTES: Final = {
    b"content-length": _note_content_length,
    b"transfer-encoding": _note_transfer_encoding,
    b"connection": note_connection,
    b"upgrade": note_upgrade,
}
