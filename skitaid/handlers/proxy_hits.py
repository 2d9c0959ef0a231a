"""Responses of a proxy that are fresh and in memory: answered at once, head and body in one piece. Everything else, and
whatever is not sure, takes the way through the cluster.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from skitaid.engine.coding import choose, encode
from skitaid.engine.stream import Stream
from skitaid.handlers.proxy_way import Reply, Way
from skitaid.protocols.http1.response import Stamp, render_head
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.cache.asked import PROBING, Asked, asked_of
from skitaid.upstream.cache.cluster import CachedCluster
from skitaid.upstream.cache.heads import HIT, is_unchanged, not_modified
from skitaid.upstream.cache.stored import Stored

__all__ = ["HitProxy", "ProxyHits"]

MAX_BYTES: Final = 262144
"""More goes out in pieces, as the client takes it."""
_PACK_BYTES: Final = 65536
"""What may be compressed here and now, once, in 0.5 ms."""
_MAX_PREPARED: Final = 16
_STAMP: Final = Stamp()


class HitProxy(Protocol):
    """The proxy, as it is needed here."""

    def reply(self, head: ResponseHead) -> Reply: ...


class Prepared(NamedTuple):
    """A response but for its age."""

    status: str
    head: bytes
    body: bytes


class ProxyHits:
    """Of one proxy."""

    def __init__(self, proxy: HitProxy, cluster: CachedCluster) -> None:
        self._proxy = proxy
        self._cluster = cluster
        self._wall = cluster.wall
        self._memory = cluster.cache.memory

    def serve(self, stream: Stream, way: Way, host: bytes | None) -> bool:
        """Answer, if there is something to answer with at once."""
        head = stream.head
        if head.line.method not in ("GET", "HEAD"):
            return False
        asked = way.asked
        if type(asked) is not Asked:
            asked = way.asked = asked_of(head.line.method, [(line.name, line.value) for line in way.frame_lines])
        if asked.has_range or not asked.control.is_silent or head.fields.upgrade is not None:
            return False
        stored = self._cluster.fresh(host, way.target, asked, has_cookie=head.frame is not None)
        if stored is None:
            return False
        return self._send(stream, stored, asked) if not asked.conditions else self._judge(stream, stored, asked)

    def _send(self, stream: Stream, stored: Stored, asked: Asked) -> bool:
        key = (self, asked.values.get(b"accept-encoding") if stream.may_code else None)
        prepared = stored.prepared.get(key)
        if not isinstance(prepared, Prepared):
            made = self._prepare(stream, stored)
            if made is None:
                return False
            if len(stored.prepared) < _MAX_PREPARED:
                stored.prepared[key] = made
                self._memory.grow(stored, len(made.head) + (0 if made.body is stored.body else len(made.body)))
            prepared = made
        policy = stored.policy
        age = int(policy.initial_age_s + self._wall() - policy.received_at)
        stream.respond_rendered(prepared.status, b"%bage: %d\r\n" % (prepared.head, max(age, 0)), prepared.body)
        return True

    def _prepare(self, stream: Stream, stored: Stored) -> Prepared | None:
        """None for what is not to be sent in one piece."""
        body = stored.body
        if not body or len(body) > MAX_BYTES:
            return None
        reply = self._proxy.reply(stored.head)
        fields = [*reply.fields, (b"cache-status", HIT)]
        if stream.may_code:
            choice = choose(stream.head.fields, reply.status, fields, len(body))
            if choice.coding is not None and len(body) > _PACK_BYTES:
                return None
            fields = [*choice.fields]
            if choice.coding is not None:
                body = encode(choice.coding, body)
        rendered = render_head(reply.status, [*fields, (b"content-length", b"%d" % len(body))], _STAMP)
        return None if rendered is None else Prepared(reply.status, rendered, body)

    def _judge(self, stream: Stream, stored: Stored, asked: Asked) -> bool:
        """A request with conditions."""
        if asked.conditions - PROBING:
            return False
        if not is_unchanged(stored, asked):
            return self._send(stream, stored, asked)
        reply = self._proxy.reply(not_modified(stored.head, []))
        age = int(stored.policy.age_s(self._wall()))
        stream.respond(reply.status, [*reply.fields, (b"cache-status", HIT), (b"age", b"%d" % age)], b"")
        return True
