"""Request heads as HTTP/2 has them (RFC 9113 section 8), checked, and made what a head of HTTP/1 is, so that whoever
answers does not notice.

Clients repeat themselves: a list of fields that came twice keeps its head, which is shared with requests that differ
in their cookies alone.
"""

from __future__ import annotations

import re
from typing import Final

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import MAX_FIELDS, FieldLine, HeaderBlock, is_host
from skitaid.protocols.http1.head import MAX_LINE_BYTES, RequestHead, RequestLine
from skitaid.protocols.kept import Kept

__all__ = ["Field", "MalformedError", "request_head", "trailer_lines"]

Field = tuple[bytes, bytes]

VERSION: Final = "2"
_MAX_HEADS: Final = 2048
_HEAD_BYTES: Final = 1500
"""What hangs on a head, its environ before all."""
_MAX_HEADS_BYTES: Final = 2 << 20

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
# RFC 9113 section 8.2.1, and what RFC 9110 section 5.5 forbids beyond it.
_VALUE: Final = re.compile(rb"(?![ \t])[^\x00-\x08\x0a-\x1f\x7f]*+(?<![ \t])").fullmatch
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_TARGET: Final = re.compile(rb"/[^\x00-\x20\x7f#]*|\*").fullmatch
_PSEUDO: Final = frozenset({b":method", b":scheme", b":path", b":authority", b":protocol"})
_REQUIRED: Final = frozenset({b":method", b":scheme", b":path"})
# Section 8.2.2: they are about the connection.
_FORBIDDEN: Final = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


class MalformedError(ProtocolError):
    """A request that is none (RFC 9113 section 8.1.1): its stream ends, the connection goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)


_HEADS: Final[Kept[tuple[object, ...], RequestHead]] = Kept(_MAX_HEADS, _MAX_HEADS_BYTES)
_HEADS_FOUND: Final = _HEADS.found


def request_head(fields: list[Field], *, is_ended: bool, is_connect_enabled: bool = False) -> RequestHead:
    """The head that `fields` are; `is_ended`: no body follows. Raises MalformedError; another ProtocolError where the
    client can be told what is wrong."""
    if len(fields) > MAX_FIELDS:
        raise ProtocolError(431, f"more than {MAX_FIELDS} header fields")
    crumbs = [value for name, value in fields if name == b"cookie"]
    if not crumbs:
        return _shared(tuple(fields), is_ended, is_connect_enabled)
    _check_order(fields)
    others = tuple(field for field in fields if field[0] != b"cookie")
    shared = _shared(others, is_ended, is_connect_enabled)
    # Section 8.2.3: a cookie may come in crumbs, and nobody behind us knows them.
    cookie = FieldLine(b"cookie", _checked(b"cookie", b"; ".join(crumbs)))
    block = shared.fields.with_cookie(cookie, len(shared.fields.fields))
    head = RequestHead(shared.line, block, True, shared.content_length)
    head.frame = shared
    return head


def _check_order(fields: list[Field]) -> None:
    """What is found out of the fields without their cookies, but for a cookie that comes too early."""
    is_late = False
    for name, _ in fields:
        is_late = is_late or name[:1] != b":"
        if is_late and name[:1] == b":":
            raise MalformedError("a pseudo-header field comes after other fields")


def _shared(fields: tuple[Field, ...], is_ended: bool, is_connect_enabled: bool) -> RequestHead:
    key = (is_ended, is_connect_enabled, *fields)
    head = _HEADS_FOUND.get(key)
    if head is None:
        head = _make(fields, is_ended, is_connect_enabled)
        size = sum(len(name) + len(value) for name, value in fields)
        _HEADS.offer(key, head, _HEAD_BYTES + size)
    return head


def _make(fields: tuple[Field, ...], is_ended: bool, is_connect_enabled: bool) -> RequestHead:
    pseudo, regular = _parted(fields)
    line, host = _line(pseudo, is_connect_enabled)
    lines = [FieldLine(name, _checked(name, value)) for name, value in regular]
    block = _block(lines, host)
    if b":protocol" in pseudo:
        block.upgrade = pseudo[b":protocol"].lower()
    length = block.content_length
    if is_ended:
        if length:
            raise MalformedError("there is a Content-Length, and no body")
        length = 0
    return RequestHead(line, block, True, length)


def _parted(fields: tuple[Field, ...]) -> tuple[dict[bytes, bytes], list[Field]]:
    """Section 8.3: pseudo-header fields come first, and each once."""
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    for field in fields:
        name, value = field
        if name[:1] != b":":
            regular.append(field)
        elif regular or name in pseudo or name not in _PSEUDO:
            raise MalformedError("a pseudo-header field is unknown, given twice, or comes after other fields")
        else:
            pseudo[name] = value
    return pseudo, regular


def _line(pseudo: dict[bytes, bytes], is_connect_enabled: bool) -> tuple[RequestLine, bytes | None]:
    """The request line, and the host it is for."""
    method, authority = pseudo.get(b":method", b""), pseudo.get(b":authority")
    if not _METHOD(method):
        raise MalformedError(":method is missing, or no method")
    if authority is not None and (not authority or not is_host(authority)):
        raise MalformedError(":authority is not one host name with an optional port")
    if method == b"CONNECT" and b":protocol" not in pseudo:
        return _connect_line(pseudo, authority), authority
    if pseudo.keys() < _REQUIRED or not pseudo.keys() >= _REQUIRED:
        raise MalformedError(":method, :scheme and :path are not all there")
    if b":protocol" in pseudo:
        if method != b"CONNECT" or not is_connect_enabled or authority is None:
            raise MalformedError(":protocol is given without being asked for, or not with CONNECT")
        # RFC 8441 section 5: what HTTP/1 has as GET with Upgrade.
        method = b"GET"
    if pseudo[b":scheme"] not in (b"http", b"https"):
        raise MalformedError(":scheme is neither http nor https")
    return _plain_line(method.decode("ascii"), pseudo[b":path"]), authority


def _plain_line(method: str, path: bytes) -> RequestLine:
    if len(path) > MAX_LINE_BYTES:
        raise ProtocolError(414, f"the path is longer than {MAX_LINE_BYTES} bytes")
    if not _TARGET(path) or (path == b"*" and method != "OPTIONS"):
        raise MalformedError(":path is not a path")
    return RequestLine(method, path, 1, VERSION)


def _connect_line(pseudo: dict[bytes, bytes], authority: bytes | None) -> RequestLine:
    """RFC 9113 section 8.5."""
    if authority is None or len(pseudo) > 2:
        raise MalformedError("CONNECT has :method and :authority, and nothing else")
    return RequestLine("CONNECT", authority, 1, VERSION)


def _block(lines: list[FieldLine], authority: bytes | None) -> HeaderBlock:
    """With the host as a field, as who answers looks for it there. Section 8.3.1: :authority goes before Host, and they
    say the same."""
    if authority is None:
        block = HeaderBlock(lines)
        if not block.host:
            raise MalformedError("there is neither :authority nor a host")
        return block
    if any(line.name == b"host" and line.value.lower() != authority.lower() for line in lines):
        raise MalformedError("Host is another than :authority")
    rest = [line for line in lines if line.name != b"host"]
    return HeaderBlock([FieldLine(b"host", authority), *rest])


def _checked(name: bytes, value: bytes) -> bytes:
    """The value of a field that may stand in a request."""
    if not _NAME(name) or name in _FORBIDDEN:
        raise MalformedError("a field's name is not in lower case, no name, or one about the connection")
    if not _VALUE(value):
        raise MalformedError("a field's value begins or ends with a blank, or holds a control character")
    if name == b"te" and value.lower() != b"trailers":
        raise MalformedError("TE is not 'trailers'")
    return value


def trailer_lines(fields: list[Field]) -> list[FieldLine]:
    """Fields that come after a body (section 8.1). Raises MalformedError."""
    return [FieldLine(name, _checked(name, value)) for name, value in fields]
