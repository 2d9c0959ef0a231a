"""What a trusted peer says about the request it passes on: who asked, by which scheme, for which host, as part of
which transaction. From anybody else nothing of it is believed, and apps do not get to see it.

A proxy writes at the right end of a list, after what was there when the request came to it. So the walk begins there
and goes on as long as the hop is itself trusted: the first that is not is the client, and what stands left of it is
that client's own invention. Pure; engine.proxy_headers asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skitaid.engine.transaction import FIRST_LTXNID, is_gtxnid, is_ltxnid
from skitaid.engine.trust import TrustedPeers, plain_address
from skitaid.protocols.forwarded import parse_forwarded, parse_node, split_list
from skitaid.protocols.headers import FieldLine, HeaderBlock, is_host

__all__ = ["Forwarded", "read_forwarded"]

_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_HOST: Final = b"x-forwarded-host"
_MAX_LINES: Final = 512
_MAX_KEPT_BYTES: Final = 100
_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of a header block: the `fields` that apps see, and the rest of what was said. `client`: address and
    port as text, the port "" when it is not known; None: the peer itself. `scheme` as the client used it, "" when the
    peer does not say. `gtxnid` None: the request begins a transaction."""

    fields: HeaderBlock
    client: tuple[str, str] | None
    scheme: str
    gtxnid: str | None
    ltxnid: str

    @property
    def client_address(self) -> tuple[str, int] | None:
        """The client as ASGI has it, port 0 when it is not known."""
        return None if self.client is None else (self.client[0], int(self.client[1] or 0))


def read_forwarded(fields: HeaderBlock, trusted: TrustedPeers, *, may_move: bool = True) -> Forwarded:
    """What a trusted peer says by `fields`. Raises ProtocolError 400 for a Forwarded that can't be read.

    X-Forwarded-* goes before Forwarded: most proxies write the former and pass on a Forwarded that a client made up.
    `may_move` False: the request's target names the host already (RFC 9112 section 3.2.2).
    """
    words, lines = _separate(fields)
    if _FOR in words or _PROTO in words or _HOST in words:
        said = _by_x_forwarded(words, trusted)
    else:
        said = _by_forwarded(words.get(b"forwarded", b""), trusted)
    scheme = _SCHEMES.get(said.proto.lower())
    host = said.host if may_move and said.host and is_host(said.host) else b""
    shown = {_PROTO: said.proto if scheme else b"", _HOST: host, **said.shown}
    if said.client is not None:
        # Never another client than the one that was found.
        shown[b"x-real-ip"] = said.client[0].encode()
    if host:
        lines = [line for line in lines if line.name != b"host"]
        lines.append(FieldLine(b"host", host))
    lines += _believed(words, shown)
    gtxnid, ltxnid = _transaction(words)
    block = HeaderBlock(lines, forwarded_for=words.get(_FOR))
    return Forwarded(block, said.client, scheme or "", gtxnid, ltxnid)


Words = dict[bytes, bytes]
"""Hearsay by name; repeated fields are joined with a comma (RFC 9110 section 5.3)."""
Client = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Said:
    """By either kind of field. `shown`: what apps see of the list of hops."""

    client: Client | None
    proto: bytes
    host: bytes
    shown: Words


def _separate(fields: HeaderBlock) -> tuple[Words, list[FieldLine]]:
    words: Words = {}
    lines = []
    for line in fields.fields:
        if not line.is_hearsay:
            lines.append(line)
        elif line.name in words:
            words[line.name] += b", " + line.value
        else:
            words[line.name] = line.value
    return words, lines


def _by_x_forwarded(words: Words, trusted: TrustedPeers) -> _Said:
    hops = split_list(words.get(_FOR, b""))
    at, client = _walk(hops, trusted)
    return _Said(client, _last(words.get(_PROTO)), _last(words.get(_HOST)), {_FOR: b", ".join(hops[at:])})


def _by_forwarded(value: bytes, trusted: TrustedPeers) -> _Said:
    """Scheme and host are of the farthest element that is believed: those right of it tell how one proxy speaks to
    another."""
    elements = parse_forwarded(value)
    if not elements:
        return _Said(None, b"", b"", {})
    at, client = _walk([element.node for element in elements], trusted)
    shown = {b"forwarded": b", ".join(element.raw for element in elements[at:])}
    return _Said(client, elements[at].proto, elements[at].host, shown)


def _walk(hops: Sequence[bytes], trusted: TrustedPeers) -> tuple[int, Client | None]:
    """From the right to the farthest hop that a trusted peer wrote: where it is, and the farthest that has an
    address. None: all that is known is the peer itself."""
    client: Client | None = None
    for at in range(len(hops) - 1, -1, -1):
        found = _client_of(hops[at])
        if found is None:
            # `unknown`, or no address at all: the proxy next to it hides who asked, or does not know.
            return at, client
        client = found
        if not trusted.holds(found[0]):
            return at, client
    return 0, client


def _client_of(hop: bytes) -> Client | None:
    node = parse_node(hop)
    address = None if node is None else plain_address(node.name)
    return None if node is None or address is None else (address, node.port)


def _last(value: bytes | None) -> bytes:
    """What the nearest proxy wrote, whatever stood there before."""
    if value is None or b"," not in value:
        return value or b""
    return (split_list(value) or [b""])[-1]


def _transaction(words: Words) -> tuple[str | None, str]:
    """A local id without its global one says nothing."""
    gtxnid, ltxnid = words.get(b"x-gtxn-id"), words.get(b"x-ltxn-id", b"")
    if gtxnid is None or not is_gtxnid(gtxnid):
        return None, FIRST_LTXNID
    return gtxnid.decode("ascii"), ltxnid.decode("ascii") if is_ltxnid(ltxnid) else FIRST_LTXNID


def _believed(words: Words, shown: Words) -> list[FieldLine]:
    """What apps see of the hearsay. The fields that nothing is made of here are shown as they came, but for ids, which
    apps get with every request, and a Forwarded beside X-Forwarded-*."""
    lines = []
    for name, value in words.items():
        told = shown.get(name)
        if told is None and (name.startswith(b"x-forwarded-") or name == b"x-real-ip") and b"_" not in name:
            told = value
        if told:
            lines.append(_believed_line(name, told))
    return lines


def _believed_line(name: bytes, value: bytes) -> FieldLine:
    """Proxies repeat themselves, and so do the clients behind them."""
    try:
        return _LINES[name, value]
    except KeyError:
        line = FieldLine(name, value, is_believed=True)
    if len(value) <= _MAX_KEPT_BYTES:
        if len(_LINES) >= _MAX_LINES:
            _LINES.clear()
        _LINES[name, value] = line
    return line


_LINES: Final[dict[tuple[bytes, bytes], FieldLine]] = {}
