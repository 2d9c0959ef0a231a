"""Request heads: the request line, and what line and fields say together about framing (RFC 9112 sections 3, 6, 9)."""

from __future__ import annotations

import re
from typing import Any, Final

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine, HeaderBlock, is_host, parse_block, tokens

__all__ = ["MAX_LINE_BYTES", "RequestHead", "RequestLine", "parse_head", "parse_request_line", "unquote"]

MAX_LINE_BYTES: Final = 16384
"""Of a request line, without its CRLF."""
_MAX_KEPT: Final = 2048
_MAX_KEPT_BYTES: Final = 256

_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/(\d)\.(\d)").fullmatch
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([\w.~!$&'()*+,;=%:\[\]-]+)(/[^?#]*)?(\?[^#]*)?").fullmatch
_AUTHORITY: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.~-]+):\d{1,5}").fullmatch
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


class RequestLine:
    """A checked request line.

    `target` as it came; `path` with its escapes decoded, as latin-1 text (PEP 3333); `query` without the question
    mark; `raw_path` and `raw_query` the same as they came; `minor` the minor version, 1 for anything above 1.0;
    `version` as the protocol is called, "1.1" or, of HTTP/2, "2"; `authority` from an absolute or authority target.
    """

    __slots__ = ("authority", "method", "minor", "path", "query", "raw_path", "raw_query", "target", "version")

    def __init__(self, method: str, target: bytes, minor: int, version: str = "") -> None:
        self.method = method
        self.target = target.decode("latin-1")
        self.minor = minor
        self.version = version or ("1.1" if minor else "1.0")
        self.authority: bytes | None = None
        path, query = self.raw_path, self.raw_query = self._split(target)
        self.path = unquote(path).decode("latin-1") if b"%" in path else path.decode("latin-1")
        self.query = query.decode("latin-1")
        if "\0" in self.path:
            raise ProtocolError(400, "the path holds a NUL")

    def _split(self, target: bytes) -> tuple[bytes, bytes]:
        """Path and query by the four target forms of RFC 9112 section 3.2."""
        if self.method == "CONNECT":
            if not _AUTHORITY(target):
                raise ProtocolError(400, "the target of CONNECT is not host:port")
            self.authority = target
            return b"", b""
        if target == b"*" and self.method == "OPTIONS":
            return b"*", b""
        if target.startswith(b"/"):
            if b"#" in target:
                raise ProtocolError(400, "the target holds a fragment")
            path, _, query = target.partition(b"?")
            return path, query
        match = _ABSOLUTE(target)
        if match is None:
            raise ProtocolError(400, "the target is neither a path nor an absolute URL")
        # An http URL without a host is invalid (RFC 9110 section 4.2.1).
        if match[1].startswith(b":") or not is_host(match[1]):
            raise ProtocolError(400, "the host of the target is not one host name with an optional port")
        self.authority = match[1]
        return match[2] or b"/", (match[3] or b"?")[1:]


class RequestHead:
    """What came before a request's body. Immutable by convention: equal heads are shared between requests.

    `is_persistent`: the connection may be used again, as far as the client goes. `content_length` is None for a chunked
    body, 0 for none. `host`: the host asked for, with its port if one was given; an absolute target goes before Host
    (RFC 9112 section 3.2.2). `frame`: the same head without its cookie, which requests with other cookies share; None
    if that is not known. `kept`: whatever answers keeps here what it made of the head. `log_texts` is the same for the
    request log, `routed` for the site, which chooses among handlers.
    """

    __slots__ = ("content_length", "fields", "frame", "host", "is_persistent", "kept", "line", "log_texts", "routed")

    def __init__(self, line: RequestLine, fields: HeaderBlock, is_persistent: bool, content_length: int | None) -> None:
        self.line = line
        self.fields = fields
        self.is_persistent = is_persistent
        self.content_length = content_length
        self.host = line.authority or fields.host or b""
        self.frame: RequestHead | None = None
        self.kept: object = None
        self.log_texts: tuple[str, str] | None = None
        self.routed: Any = None


_KEPT: Final[dict[bytes, RequestLine]] = {}


def parse_request_line(raw: bytes) -> RequestLine:
    """A request line without its CRLF. Raises ProtocolError: 400, 414 when it is longer than `MAX_LINE_BYTES`, 505 for
    another major version."""
    if len(raw) > MAX_LINE_BYTES:
        raise ProtocolError(414, f"the request line is longer than {MAX_LINE_BYTES} bytes")
    match = _LINE(raw)
    if match is None:
        raise ProtocolError(400, "the request line is not 'METHOD target HTTP/1.1'")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise ProtocolError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    line = RequestLine(method.decode("ascii"), target, 0 if minor == b"0" else 1)
    if len(raw) <= _MAX_KEPT_BYTES:
        if len(_KEPT) >= _MAX_KEPT:
            _KEPT.clear()
        _KEPT[raw] = line
    return line


def parse_head(raw: bytes) -> RequestHead:
    """A whole head without the empty line that ends it. Raises ProtocolError."""
    first, _, rest = raw.partition(b"\r\n")
    try:
        line = _KEPT[first]
    except KeyError:
        line = parse_request_line(first)
    fields = parse_block(rest)
    if line.minor:
        if fields.host is None:
            raise ProtocolError(400, "Host is missing")
        is_persistent = not fields.wants_close
    else:
        is_persistent = fields.wants_keep_alive and not fields.wants_close
    if line.authority is not None and line.authority != fields.host:
        fields = _for_host(fields, line.authority)
    length: int | None = 0
    if fields.transfer_encoding is not None:
        _check_transfer_encoding(line, fields)
        length = None
    elif fields.content_length is not None:
        length = fields.content_length
    return RequestHead(line, fields, is_persistent, length)


def _for_host(fields: HeaderBlock, host: bytes) -> HeaderBlock:
    """RFC 9112 section 3.2.2: the host in the target goes before Host, and whoever reads Host is to find that one."""
    rest = (line for line in fields.fields if line.name != b"host")
    return HeaderBlock([FieldLine(b"host", host), *rest])


def _check_transfer_encoding(line: RequestLine, fields: HeaderBlock) -> None:
    """RFC 9112 section 6.1: what we can't be sure of, we refuse; a guess here is how requests are smuggled."""
    if not fields.is_chunked:
        codings = tokens(fields.transfer_encoding or b"")
        # Section 6.3: unless chunked comes last, and once, nobody knows where the body ends.
        if codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
            raise ProtocolError(400, "the last Transfer-Encoding is not chunked")
        raise ProtocolError(501, "the only Transfer-Encoding understood is chunked")
    if fields.content_length is not None:
        raise ProtocolError(400, "both Transfer-Encoding and Content-Length are given")
    if not line.minor:
        raise ProtocolError(400, "HTTP/1.0 has no Transfer-Encoding")


def unquote(path: bytes) -> bytes:
    """Decode %XX; an escape that is none stays as it is."""
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), path)
