"""What a trusted peer says about the request it passes on: who asked, by which scheme, for which host, as part of
which transaction. From anybody else nothing of it is believed, and apps do not get to see it.

A proxy writes at the right end of a list, after what was there when the request came to it. So the walk begins there
and goes on as long as the hop is itself trusted: the first that is not is the client, and what stands left of it is
that client's own invention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from skitaid.engine.transaction import FIRST_LTXNID, is_gtxnid, is_ltxnid
from skitaid.engine.trust import NEAR, TrustedPeers, plain_address
from skitaid.protocols.forwarded import parse_forwarded, parse_node, split_list
from skitaid.protocols.headers import FieldLine, HeaderBlock, is_host
from skitaid.protocols.http1.head import RequestHead

if TYPE_CHECKING:
    from skitaid.engine.stream import Stream

__all__ = ["Hearing", "Heard", "hear"]

_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_HOST: Final = b"x-forwarded-host"
_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a header block: the `fields` that apps see, and the rest of what was said. `client`: address and
    port as text, the port "" when it is not known; None: the peer itself. `scheme` as the client used it. `gtxnid`
    None: the request begins a transaction."""

    fields: HeaderBlock
    client: tuple[str, str] | None
    scheme: str
    gtxnid: str | None
    ltxnid: str

    @property
    def client_address(self) -> tuple[str, int] | None:
        """The client as ASGI has it, port 0 when it is not known."""
        return None if self.client is None else (self.client[0], int(self.client[1] or 0))


class Hearing:
    """Decides for each request with such fields whether its peer is believed. `on_doubt` is called for the first that
    comes from nearby and is not: there a proxy is likely that nobody has named."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = TrustedPeers(trusted)
        self.on_doubt: Callable[[Stream], None] | None = None

    def take(self, stream: Stream) -> None:
        """To be called before anything else looks at a stream whose fields have hearsay. Raises ProtocolError 400."""
        if not self._trusted.holds(stream.connection.peer):
            if self.on_doubt is not None:
                self._doubt(stream)
            return
        head = stream.head
        kept = head.fields.heard
        # Blocks outlive engines only in tests, but there they do.
        if isinstance(kept, tuple) and kept[0] is self:
            heard: Heard = kept[1]
        else:
            heard = hear(head.fields, self._trusted, may_move=head.line.authority is None)
            if head.line.authority is None:
                head.fields.heard = (self, heard)
        stream.head = RequestHead(head.line, heard.fields, head.is_persistent, head.content_length)
        stream.heard = heard
        if heard.gtxnid is not None:
            stream.gtxnid = heard.gtxnid

    def _doubt(self, stream: Stream) -> None:
        get = stream.head.fields.get
        if NEAR.holds(stream.connection.peer) and (get(_FOR) or get(_PROTO) or get(b"forwarded")):
            tell, self.on_doubt = self.on_doubt, None
            if tell is not None:
                tell(stream)


def hear(fields: HeaderBlock, trusted: TrustedPeers, *, may_move: bool = True) -> Heard:
    """What a trusted peer says by `fields`. Raises ProtocolError 400 for a Forwarded that can't be read.

    X-Forwarded-* goes before Forwarded: most proxies write the former and pass on a Forwarded that a client made up.
    `may_move` False: the request's target names the host already (RFC 9112 section 3.2.2).
    """
    get = fields.get
    if get(_FOR) is None and get(_PROTO) is None and get(_HOST) is None:
        said = _by_forwarded(get(b"forwarded"), trusted)
    else:
        said = _by_x_forwarded(fields, trusted)
    scheme = _SCHEMES.get(said.proto.lower())
    host = said.host if may_move and is_host(said.host) else b""
    shown = {_PROTO: said.proto if scheme else b"", _HOST: host, b"x-real-ip": _real_ip(fields, said.client)}
    gtxnid, ltxnid = _transaction(fields)
    block = HeaderBlock(_lines(fields, said.shown | shown, host), forwarded_for=get(_FOR))
    return Heard(block, said.client, scheme or "http", gtxnid, ltxnid)


@dataclass(frozen=True, slots=True)
class _Said:
    """By either kind of field. `shown`: what apps see of the list of hops."""

    client: tuple[str, str] | None = None
    proto: bytes = b""
    host: bytes = b""
    shown: dict[bytes, bytes] = field(default_factory=dict)


def _by_x_forwarded(fields: HeaderBlock, trusted: TrustedPeers) -> _Said:
    hops = split_list(fields.get(_FOR) or b"")
    at = _farthest(hops, trusted)
    proto, host = _last(fields.get(_PROTO)), _last(fields.get(_HOST))
    return _Said(_client(hops[at:]), proto, host, {_FOR: b", ".join(hops[at:])})


def _by_forwarded(given: bytes | None, trusted: TrustedPeers) -> _Said:
    """Scheme and host are of the farthest element that is believed: those right of it tell how one proxy speaks to
    another."""
    elements = parse_forwarded(given or b"")
    if not elements:
        return _Said()
    hops = [element.node for element in elements]
    at = _farthest(hops, trusted)
    shown = {b"forwarded": b", ".join(element.raw for element in elements[at:])}
    return _Said(_client(hops[at:]), elements[at].proto, elements[at].host, shown)


def _farthest(hops: Sequence[bytes], trusted: TrustedPeers) -> int:
    """Where in `hops` the last is that a trusted peer wrote: the first from the right that is not trusted itself."""
    for at in range(len(hops) - 1, -1, -1):
        address = _address(hops[at])
        if address is None or not trusted.holds(address):
            return at
    return 0


def _client(hops: Sequence[bytes]) -> tuple[str, str] | None:
    """The farthest hop that is known: the first, or when its proxy hides it (`unknown`) that proxy."""
    for hop in hops[:2]:
        address, node = _address(hop), parse_node(hop)
        if address is not None and node is not None:
            return address, node.port
    return None


def _address(hop: bytes) -> str | None:
    node = parse_node(hop)
    return None if node is None else plain_address(node.name)


def _last(value: bytes | None) -> bytes:
    """What the nearest proxy wrote, whatever stood there before."""
    return (split_list(value or b"") or [b""])[-1]


def _real_ip(fields: HeaderBlock, client: tuple[str, str] | None) -> bytes:
    """Never another client than the one that was found."""
    return client[0].encode() if client is not None else fields.get(b"x-real-ip") or b""


def _transaction(fields: HeaderBlock) -> tuple[str | None, str]:
    """A local id without its global one says nothing."""
    gtxnid, ltxnid = fields.get(b"x-gtxn-id") or b"", fields.get(b"x-ltxn-id") or b""
    if not is_gtxnid(gtxnid):
        return None, FIRST_LTXNID
    return gtxnid.decode("ascii"), ltxnid.decode("ascii") if is_ltxnid(ltxnid) else FIRST_LTXNID


def _lines(fields: HeaderBlock, shown: dict[bytes, bytes], host: bytes) -> list[FieldLine]:
    """The lines that apps see: hearsay as it is believed, each field once, and the rest as it came."""
    lines = []
    if host:
        lines.append(FieldLine(b"host", host))
    done: set[bytes] = set()
    for line in fields.fields:
        name = line.name
        if not line.is_hearsay:
            if name != b"host" or not host:
                lines.append(line)
        elif name in shown:
            if shown[name] and name not in done:
                done.add(name)
                lines.append(FieldLine(name, shown[name], is_believed=True))
        elif name.startswith(b"x-forwarded-") and b"_" not in name:
            lines.append(FieldLine(name, line.value, is_believed=True))
    return lines
