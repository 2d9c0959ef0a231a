"""The fields of a message on its way through a proxy (RFC 9110 section 7.6). Pure.

To the member go the end-to-end fields of the client, and what the proxy knows of the hop that the member can't see:
who asked, by which scheme, for which host, as part of which transaction. What a client writes of that itself goes on
only where its peer is believed; everybody else's stays here (protocols.headers calls it hearsay).

To the client go the end-to-end fields of the member. Date is the member's, Server ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from skitaid.engine.forwarded import Forwarded
from skitaid.engine.transaction import FIRST_LTXNID, next_ltxnid
from skitaid.protocols.headers import FieldLine, HeaderBlock, tokens

__all__ = [
    "LTXNID_LINE",
    "MAX_HOPS",
    "Hop",
    "client_fields",
    "count_hops",
    "id_lines",
    "may_go_on",
    "named_by_connection",
    "passed_lines",
    "told_lines",
    "via_line",
]

MAX_HOPS: Final = 20
"""Proxies that a request may have passed before it is taken for one that goes round in circles."""

_PSEUDONYM: Final = b"skitaid"
_VIA: Final = (b"via: 1.0 skitaid\r\n", b"via: 1.1 skitaid\r\n")

_HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"http2-settings", b"proxy-authorization",
})  # fmt: skip
_MADE_ANEW: Final = frozenset({b"host", b"content-length", b"expect"})
_TOLD: Final = frozenset({
    b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"forwarded", b"x-gtxn-id",
    b"x-ltxn-id", b"x-gateway-user", b"x-gateway-roles",
})  # fmt: skip
# CVE-2016-5385: a setting of HTTP clients to a CGI program.
_KEPT_BACK: Final = _HOP_BY_HOP | _MADE_ANEW | _TOLD | {b"proxy"}
_NOT_FOR_CLIENTS: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"server",
})  # fmt: skip
_NUMBER: Final = re.compile(rb"[0-9]{1,9}").fullmatch
_PORTS: Final = {"http": b"80", "https": b"443"}
_LTXNID: Final = next_ltxnid(FIRST_LTXNID, 1).encode("ascii")
LTXNID_LINE: Final = b"x-ltxn-id: %b\r\n" % _LTXNID
"""For a call out of a request that comes from outside."""


@dataclass(frozen=True, slots=True)
class Hop:
    """The hop before us. `peer`: its address, "" by a unix socket. `scheme` as the client used it, `minor` of the
    version that it speaks. `forwarded`: what the peer says of those before it, None when it is not believed, or says
    nothing."""

    peer: str
    scheme: str = "http"
    minor: int = 1
    forwarded: Forwarded | None = None


def passed_lines(fields: HeaderBlock) -> bytes:
    """The client's own words. A block keeps them: most come again.

    Names with an underscore stay here: many programs take `X_User` for `X-User`, and whoever guards the one may not
    know of the other.
    """
    kept = fields.passed
    if kept is None:
        stable = fields.stable
        if stable is None:
            kept = fields.passed = _passed_lines(fields)
        elif b"cookie" in named_by_connection(stable.fields):
            kept = passed_lines(stable)
        else:
            kept = b"%bcookie: %b\r\n" % (passed_lines(stable), fields.get(b"cookie") or b"")
    return kept


def _passed_lines(fields: HeaderBlock) -> bytes:
    named = named_by_connection(fields.fields)
    parts: list[bytes] = []
    cookies: list[bytes] = []
    for line in fields.fields:
        name = line.name
        if line.is_hearsay or name in _KEPT_BACK or name in named or b"_" in name:
            continue
        if name == b"cookie":
            cookies.append(line.value)
        elif name == b"max-forwards":
            if (left := _forwards(line.value)) is not None:
                parts.append(b"max-forwards: %d\r\n" % max(0, left - 1))
        else:
            parts.append(b"%b: %b\r\n" % (name, line.value))
    if cookies:
        # HTTP/2 has them apart, HTTP/1 in one line (RFC 9113 section 8.2.3).
        parts.append(b"cookie: %b\r\n" % b"; ".join(cookies))
    return b"".join(parts)


def id_lines(gtxnid: str, ltxnid: str) -> bytes:
    """The ids of the transaction, for a call out of a request that has these."""
    called = _LTXNID if ltxnid == FIRST_LTXNID else next_ltxnid(ltxnid, 1).encode("ascii")
    return b"x-gtxn-id: %b\r\nx-ltxn-id: %b\r\n" % (gtxnid.encode("ascii"), called)


def may_go_on(method: str, fields: HeaderBlock) -> bool:
    """Whether a request may be passed on: OPTIONS says how often, and is ours to answer at last (RFC 9110 section
    7.6.2; TRACE is not passed on at all)."""
    return method != "OPTIONS" or _forwards(fields.get(b"max-forwards") or b"") != 0


def _forwards(value: bytes) -> int | None:
    return int(value) if _NUMBER(value) else None


def via_line(minor: int) -> bytes:
    """`minor` of the version that the client speaks (RFC 9110 section 7.6.3)."""
    return _VIA[minor]


def told_lines(fields: HeaderBlock, hop: Hop) -> bytes:
    """What the proxy says of the client, and of itself. X-Forwarded-* always; Forwarded (RFC 7239) only as the end of
    one that is believed, so that no list stands beside another that says less."""
    host = fields.host or b""
    lines = [_VIA[hop.minor], b"x-forwarded-proto: %b\r\n" % hop.scheme.encode("ascii")]
    if hops := _hops(hop):
        lines.append(b"x-forwarded-for: %b\r\n" % hops)
    if host:
        lines.append(b"x-forwarded-host: %b\r\n" % host)
    lines.append(b"x-forwarded-port: %b\r\n" % _port(fields, hop, host))
    before = None if hop.forwarded is None else fields.get(b"forwarded")
    if before is not None:
        lines.append(b"forwarded: %b, %b\r\n" % (before, _element(hop, host)))
    return b"".join(lines)


def client_fields(fields: HeaderBlock, *, minor: int = 1) -> list[tuple[bytes, bytes]]:
    """A response's fields for the client. `minor` of the version that the member speaks. Lines of one name stay apart:
    those of Set-Cookie can't be joined (RFC 9110 section 5.3)."""
    named = named_by_connection(fields.fields)
    passed = [
        (line.name, line.value)
        for line in fields.fields
        if line.name not in _NOT_FOR_CLIENTS and line.name not in named
    ]
    passed.append((b"via", b"1.1 skitaid" if minor else b"1.0 skitaid"))
    return passed


def count_hops(fields: HeaderBlock) -> int:
    """The proxies of ours that a request has passed (RFC 9110 section 7.6.3)."""
    via = fields.get(b"via")
    if via is None:
        return 0
    return sum(1 for element in tokens(via) if element.split()[1:2] == [_PSEUDONYM])


def named_by_connection(lines: Iterable[FieldLine]) -> frozenset[bytes]:
    """The fields that are meant for this hop because Connection says so (RFC 9110 section 7.6.1)."""
    named: frozenset[bytes] = frozenset()
    for line in lines:
        if line.name == b"connection":
            named = named.union(tokens(line.value))
    return named


def _hops(hop: Hop) -> bytes:
    """From the client to our peer, as far as they are known."""
    known = _known_hops(hop)
    if hop.peer:
        known.append(hop.peer.encode("latin-1"))
    return b", ".join(known)


def _known_hops(hop: Hop) -> list[bytes]:
    forwarded = hop.forwarded
    if forwarded is None:
        return []
    told = forwarded.fields.get(b"x-forwarded-for")
    if told is not None:
        return [told]
    return [] if forwarded.client is None else [forwarded.client[0].encode("latin-1")]


def _port(fields: HeaderBlock, hop: Hop, host: bytes) -> bytes:
    """The port that the client asked: as a believed peer says, else as the host names it."""
    told = None if hop.forwarded is None else fields.get(b"x-forwarded-port")
    if told is not None:
        return told
    _, colon, port = host.rpartition(b":")
    return port if colon and port.isdigit() else _PORTS.get(hop.scheme, b"80")


def _element(hop: Hop, host: bytes) -> bytes:
    """RFC 7239 section 4; an IPv6 address, and anything with a colon, stands in quotes (section 6)."""
    peer = hop.peer.encode("latin-1")
    node = b"unknown" if not peer else b'"[%b]"' % peer if b":" in peer else peer
    element = b"for=%b" % node
    if host:
        element += b';host="%b"' % host
    return b"%b;proto=%b" % (element, hop.scheme.encode("ascii"))
