"""Responses of a proxy that are fresh and in memory: answered at once, head and body in one piece. Everything else, and
whatever is not sure, takes the way through the cluster.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from skitaid.engine.coding import choose, encode
from skitaid.engine.stream import Stream
from skitaid.handlers.proxy.rewrite import Reply, Rewrite
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
_METHODS: Final = ("GET", "HEAD")


class HitProxy(Protocol):
    """The proxy, as it is needed here."""

    def reply(self, head: ResponseHead) -> Reply: ...


class Prepared:
    """A response but for its age. `told`: the whole head, for `told_age`."""

    __slots__ = ("body", "head", "status", "told", "told_age")

    def __init__(self, status: str, head: bytes, body: bytes) -> None:
        self.status = status
        self.head = head
        self.body = body
        self.told = b""
        self.told_age = -1

    def head_at(self, age: int) -> bytes:
        """The head of a response of that age, in seconds."""
        if age != self.told_age:
            self.told = b"%bage: %d\r\n" % (self.head, age)
            self.told_age = age
        return self.told


class Question(NamedTuple):
    """What the fields of a request say to the cache, and by which key it looks. Kept with the Rewrite. `scheme`: of the
    listener it came by."""

    asked: Asked
    key: bytes
    scheme: str


class ProxyHits:
    """Answers the requests of a proxy that the cache in memory has an answer to. What it knows to be none of the
    cache's business is told by `Rewrite.past_cache`."""

    def __init__(self, proxy: HitProxy, cluster: CachedCluster) -> None:
        self._proxy = proxy
        self._key = cluster.key
        self._wall = cluster.wall
        self._cache = cluster.cache
        self._fresh = cluster.cache.fresh

    def serve(self, stream: Stream, rewrite: Rewrite, host: bytes | None) -> bool:
        """Answer, if there is something to answer with at once."""
        head = stream.head
        question = rewrite.asked
        if type(question) is not Question or question.scheme != stream.connection.listener.scheme:
            asked = asked_of(head.line.method, [(line.name, line.value) for line in rewrite.frame_lines])
            key = self._key(host, rewrite.target, stream.scheme.encode("ascii"))
            question = rewrite.asked = Question(asked, key, stream.connection.listener.scheme)
        asked = question.asked
        if not asked.is_plain or asked.method not in _METHODS or head.fields.upgrade is not None:
            return False
        now = self._wall()
        stored = self._fresh(question.key, asked, now, has_cookie=head.frame is not None)
        if stored is None:
            is_anonymous = asked.is_anonymous and head.frame is None
            rewrite.past_cache = self._is_past(question.key, is_anonymous=is_anonymous)
            return False
        age = int(now - stored.made_at)
        return self._judge(stream, stored, asked, age) if asked.conditions else self._send(stream, stored, asked, age)

    def _is_past(self, key: bytes, *, is_anonymous: bool) -> bool:
        cache = self._cache
        return cache.is_passed_on(key, is_anonymous=is_anonymous) and not cache.knows(key)

    def _send(self, stream: Stream, stored: Stored, asked: Asked, age: int) -> bool:
        key = (self, asked.values.get(b"accept-encoding") if stream.may_code else None)
        prepared = stored.prepared.get(key)
        if type(prepared) is not Prepared:
            made = self._prepare(stream, stored)
            if made is None:
                return False
            if len(stored.prepared) < _MAX_PREPARED:
                stored.prepared[key] = made
                body_bytes = 0 if made.body is stored.body else len(made.body)
                self._cache.memory.grow(stored, 2 * len(made.head) + body_bytes)
            prepared = made
        stream.respond_rendered(prepared.status, prepared.head_at(age), prepared.body)
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

    def _judge(self, stream: Stream, stored: Stored, asked: Asked, age: int) -> bool:
        """A request with conditions."""
        if asked.conditions - PROBING:
            return False
        if not is_unchanged(stored, asked):
            return self._send(stream, stored, asked, age)
        reply = self._proxy.reply(not_modified(stored.head, []))
        stream.respond(reply.status, [*reply.fields, (b"cache-status", HIT), (b"age", b"%d" % age)], b"")
        return True
