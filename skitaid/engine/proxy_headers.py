"""Whether what a request's peer says of others is listened to, and what the request becomes by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from skitaid.engine.forwarded import Forwarded, read_forwarded
from skitaid.engine.stream import Stream
from skitaid.engine.trust import NEAR, TrustedPeers
from skitaid.protocols.headers import HeaderBlock
from skitaid.protocols.http1.head import RequestHead

__all__ = ["ProxyHeaders"]

_TELLING: Final = (b"x-forwarded-for", b"x-forwarded-proto", b"forwarded")
"""A peer that sends one of these is likely to be a proxy."""
_PASSING_ON: Final = (*_TELLING, b"x-forwarded-host", b"x-real-ip", b"via")


class ProxyHeaders:
    """Decides for each request with such fields whether its peer is believed. `on_doubt` is called for the first that
    comes from nearby and is not: there a proxy is likely that nobody has named."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = TrustedPeers(trusted)
        self.on_doubt: Callable[[Stream], None] | None = None

    def may_pass_on(self, address: str) -> bool:
        """Whether a peer may be a proxy, so that its connections are not all one client's."""
        return NEAR.holds(address) or self._trusted.holds(address)

    def is_direct(self, address: str, fields: HeaderBlock) -> bool:
        """Whether nothing tells of a proxy between the client and us: no trusted peer, no unix socket, no field that
        proxies add."""
        if not address or self._trusted.holds(address):
            return False
        return all(fields.get(name) is None for name in _PASSING_ON)

    def apply(self, stream: Stream) -> None:
        """To be called before anything else looks at a stream whose fields have hearsay. Raises ProtocolError 400."""
        if not self._trusted.holds(stream.connection.peer):
            if self.on_doubt is not None:
                self._doubt(stream)
            return
        head = stream.head
        if head.line.authority is None:
            forwarded = self._read_forwarded(head.fields)
        else:
            forwarded = read_forwarded(head.fields, self._trusted, may_move=False)
        stream.head = RequestHead(head.line, forwarded.fields, head.is_persistent, head.content_length)
        stream.forwarded = forwarded
        if forwarded.gtxnid is not None:
            stream.gtxnid = forwarded.gtxnid

    def _read_forwarded(self, fields: HeaderBlock) -> Forwarded:
        """Kept with the block, which may come again."""
        kept = fields.forwarded
        # Blocks outlive engines only in tests, but there they do.
        if isinstance(kept, tuple) and kept[0] is self:
            forwarded: Forwarded = kept[1]
            return forwarded
        forwarded = read_forwarded(fields, self._trusted)
        fields.forwarded = (self, forwarded)
        return forwarded

    def _doubt(self, stream: Stream) -> None:
        get = stream.head.fields.get
        if NEAR.holds(stream.connection.peer) and any(get(name) for name in _TELLING):
            tell, self.on_doubt = self.on_doubt, None
            if tell is not None:
                tell(stream)
