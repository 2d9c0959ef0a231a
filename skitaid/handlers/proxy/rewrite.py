"""What becomes of the head of a request that is passed on, and of the head of its response. Both are kept with the
heads, which come again: clients and members repeat themselves.
"""

from __future__ import annotations

from typing import Final

from skitaid.engine.coding import MIN_BYTES
from skitaid.engine.stream import Stream
from skitaid.handlers.proxy.fields import LTXNID_LINE, Hop, id_lines, named_by_connection, passed_lines, told_lines
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.response import Stamp, render_head

__all__ = ["Reply", "Rewrite"]

_SWITCHES: Final = frozenset({b"websocket"})
"""h2c is not among them: behind an upgrade to it, requests would pass that nobody looks at."""
_MAX_PEERS: Final = 64
_MAX_RENDERED_BYTES: Final = 2048
_STAMP: Final = Stamp()


class Rewrite:
    """What a request becomes. Kept with its head, or with that head's frame, which has no cookie. `owner`: the proxy
    that made it. `target`: what a member is asked for. `host`: what it is told as Host, None: its own name. `upgrade`:
    the protocol that is to be switched to, if a member wants to. `frame_lines`: the fields, without a cookie where
    there is a frame; `asked`: what they say to a cache, kept here by ProxyHits; `past_cache`: for the next call, see
    upstream.call.Call."""

    __slots__ = (
        "_by_peer", "_passes_cookies", "asked", "frame_lines", "host", "method", "owner", "past_cache", "target",
        "upgrade",
    )  # fmt: skip

    def __init__(self, owner: object, target: bytes, frame: RequestHead, host: bytes | None) -> None:
        self.owner = owner
        self.method = frame.line.method
        self.target = target
        self.host = host
        upgrade = frame.fields.upgrade
        self.upgrade = upgrade if upgrade in _SWITCHES and frame.content_length == 0 and frame.line.minor else None
        self.frame_lines = frame.fields.fields
        self.asked: object = None
        self.past_cache = False
        self._by_peer: dict[str, dict[str, bytes]] = {"http": {}, "https": {}}
        self._passes_cookies = b"cookie" not in named_by_connection(frame.fields.fields)

    def lines(self, stream: Stream) -> bytes:
        """All field lines that a member gets, but for those that its connection needs."""
        head, peer, forwarded = stream.head, stream.connection.peer, stream.forwarded
        if forwarded is not None:
            hop = Hop(peer, stream.scheme, head.line.minor, forwarded)
            return passed_lines(head.fields) + told_lines(head.fields, hop) + id_lines(stream.gtxnid, forwarded.ltxnid)
        frame = head.frame
        scheme = stream.connection.listener.scheme
        lines = self._by_peer[scheme].get(peer) or self._make_lines(peer, scheme, frame or head)
        if frame is not None and self._passes_cookies:
            lines = b"%bcookie: %b\r\n" % (lines, head.fields.get(b"cookie") or b"")
        return b"%bx-gtxn-id: %b\r\n" % (lines, stream.gtxnid.encode("ascii"))

    def _make_lines(self, peer: str, scheme: str, frame: RequestHead) -> bytes:
        hop = Hop(peer, scheme, frame.line.minor)
        lines = passed_lines(frame.fields) + told_lines(frame.fields, hop) + LTXNID_LINE
        kept = self._by_peer[scheme]
        if len(kept) >= _MAX_PEERS:
            kept.clear()
        kept[peer] = lines
        return lines


class Reply:
    """What a response becomes. Kept with its head. `owner`: the proxy that made it. `is_kept`: it came again."""

    __slots__ = ("_rendered", "fields", "is_kept", "owner", "status")

    def __init__(self, owner: object, status: str, fields: list[tuple[bytes, bytes]]) -> None:
        self.owner = owner
        self.status = status
        self.fields = fields
        self.is_kept = False
        self._rendered: bytes | None = None

    def send_whole(self, stream: Stream, body: bytes) -> None:
        """The response, with all of its body. Raises ResponseError, ClientGoneError."""
        if not self.is_kept or (stream.may_code and not 0 < len(body) < MIN_BYTES):
            stream.respond(self.status, self.fields, body)
            return
        rendered = self._rendered
        if rendered is None:
            rendered = self._rendered = self._render()
        if rendered:
            stream.respond_rendered(self.status, rendered, body)
        else:
            stream.respond(self.status, self.fields, body)

    def _render(self) -> bytes:
        """Empty when it is not the same each time."""
        rendered = render_head(self.status, self.fields, _STAMP) or b""
        return rendered if len(rendered) <= _MAX_RENDERED_BYTES else b""
