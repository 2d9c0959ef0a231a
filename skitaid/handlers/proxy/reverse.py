"""The reverse proxy: requests of one mount point, answered by the members of an alias (RFC 9110 section 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.body_rules import NO_RULES, BodyRules
from skitaid.handlers.proxy.failure import FailureLog, page_text
from skitaid.handlers.proxy.fields import MAX_HOPS, client_fields, count_hops, may_go_on
from skitaid.handlers.proxy.proxied_request import ProxiedRequest
from skitaid.handlers.proxy.rewrite import Reply, Rewrite
from skitaid.handlers.proxy.target import Remap
from skitaid.handlers.proxy.tunnel import Tunnels
from skitaid.handlers.proxy.upload import BodyBuffering, Upload
from skitaid.handlers.router import Route
from skitaid.handlers.status import status_line
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.affinity import Affinity
from skitaid.upstream.call import Call, CallTimeouts, Exchange, Receiver
from skitaid.upstream.errors import UpstreamError

__all__ = ["ProxySettings", "Requester", "ReverseProxy"]

_TUNNEL_S: Final = 600.0


class Requester(Protocol):
    """A cluster, or a cache in front of one."""

    def request(self, call: Call, receiver: Receiver) -> Exchange:
        """Make a call. `receiver` hears nothing before this has returned. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """One mount. `where`: its host and path, for people. `remap`: what stands in front of the path instead of the mount
    point. `origins`: what the members call themselves in redirects (`http://host:port`, lower case). `host`: what they
    are told as Host; None: `passes_host` tells whether that is what the client said, or their own name. `source`: the
    networks of clients that may ask; empty: all. `tunnel_s`: for websockets, without a byte. `deeper`: see Remap."""

    where: str
    alias: str
    remap: str | None = None
    origins: tuple[bytes, ...] = ()
    host: bytes | None = None
    passes_host: bool = True
    source: tuple[str, ...] = ()
    bodies: BodyRules = NO_RULES
    timeouts: CallTimeouts = field(default_factory=CallTimeouts)
    affinity: Affinity | None = None
    tunnel_s: float = _TUNNEL_S
    deeper: tuple[str, ...] = ()


class Hits(Protocol):
    """Responses that are there already."""

    def serve(self, stream: Stream, rewrite: Rewrite, host: bytes | None) -> bool:
        """Answer at once; False when that can't be done."""


class ReverseProxy:
    """A router.RouteHandler, and the proxied_request.Proxy of its requests. `mount`: the path of its Route. A
    stream's `note` is lines for the member from whoever let it in (handlers.gateway). `write` is told a line for each
    failure. `hits`: asked first, where there is a cache."""

    def __init__(
        self, engine: Engine, mount: str, requester: Requester, settings: ProxySettings, *, write: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._requester = requester
        self._settings = settings
        self._remap = Remap(mount, settings.remap, deeper=settings.deeper)
        self._source = TrustedPeers(settings.source) if settings.source else None
        self._may_code = settings.bodies.may_code
        self._timeouts = settings.timeouts
        self._affinity = settings.affinity
        self._failures = FailureLog(settings.where, settings.alias, write)
        self.tunnels = Tunnels(engine, settings.tunnel_s)
        self.hits: Hits | None = None

    def serve(self, stream: Stream, route: Route) -> bool:
        head = stream.head
        stream.may_code = self._may_code
        try:
            rewrite = (head.frame or head).kept
            if type(rewrite) is not Rewrite or rewrite.owner is not self:
                if not may_go_on(head.line.method, head.fields):
                    stream.respond("204 No Content", [], b"")
                    return True
                rewrite = self._find_rewrite(stream)
            if self._source is not None:
                self._check_source(self._source, stream)
            if head.content_length == 0:
                if self.hits is None or not self.hits.serve(stream, rewrite, rewrite.host):
                    ProxiedRequest(self, stream, rewrite).begin()
            else:
                Upload(self, stream, rewrite, self._buffering(stream)).start()
        except ProtocolError as error:
            self._engine.respond_error(stream, error.status, error.reason)
        return True

    def _find_rewrite(self, stream: Stream) -> Rewrite:
        """For a request that did not come before. Raises ProtocolError for one that is not passed on."""
        head = stream.head
        if head.line.method == "TRACE":
            # What it shows are the fields that we add, and perhaps a cookie that no script may read.
            raise ProtocolError(405, "TRACE is not passed on.")
        if count_hops(head.fields) >= MAX_HOPS:
            raise ProtocolError(508, "This request goes round in circles.")
        frame = head.frame or head
        settings = self._settings
        host = settings.host or (head.host if settings.passes_host else None)
        frame.kept = rewrite = Rewrite(self, self._remap.target(head.line), frame, host)
        return rewrite

    @staticmethod
    def _check_source(source: TrustedPeers, stream: Stream) -> None:
        """Raises ProtocolError for a client that may not ask here."""
        forwarded = stream.forwarded
        client = stream.connection.peer if forwarded is None or forwarded.client is None else forwarded.client[0]
        if not source.holds(client):
            raise ProtocolError(403, "This address may not be asked from where you are.")

    def _buffering(self, stream: Stream) -> BodyBuffering:
        """Raises ProtocolError for a body that is too long."""
        bodies, engine, length = self._settings.bodies, self._engine, stream.head.content_length
        limit = bodies.limit(stream.head)
        if limit is not None and length is not None and length > limit:
            raise ProtocolError(413, f"The body may be {limit} bytes long at most.")
        return BodyBuffering(limit, bodies.is_streamed, engine.spool, engine.disk)

    # ------------------------------------------------------------ what passages ask

    def request(self, proxied: ProxiedRequest, body: bytes | None, length: int | None) -> Exchange:
        """See Proxy."""
        stream, rewrite = proxied.stream, proxied.rewrite
        lines = rewrite.lines(stream)
        if stream.note is not None:
            lines += stream.note
        if proxied.before_read is not None:
            lines += b"expect: 100-continue\r\n"
        # By position: by name it takes twice as long.
        call = Call(
            rewrite.method, rewrite.target, (), rewrite.host, body, length, None, False, rewrite.upgrade,
            self._timeouts, lines, rewrite.past_cache,
        )  # fmt: skip
        if self._affinity is not None:
            call.affinity = self._affinity.key_of(stream.head.fields)
        return self._requester.request(call, proxied)

    def reply(self, head: ResponseHead) -> Reply:
        """See Proxy."""
        reply = head.kept
        if type(reply) is Reply and reply.owner is self:
            reply.is_kept = True
            return reply
        fields = client_fields(head.fields, minor=head.minor)
        origins = self._settings.origins
        if origins and any(name == b"location" for name, _ in fields):
            fields = [
                (name, self._remap.location(value, origins)) if name == b"location" else (name, value)
                for name, value in fields
            ]
        reason = head.reason.decode("latin-1")
        head.kept = reply = Reply(self, f"{head.status} {reason}" if reason else status_line(head.status), fields)
        return reply

    def answer_failure(self, stream: Stream, error: UpstreamError) -> None:
        """See Proxy."""
        self._failures.note(stream, error, outcome=f"answered {error.status}")
        self._engine.respond_error(stream, error.status, page_text(error), retry=error.status == 503)

    def note_break(self, stream: Stream, error: UpstreamError) -> None:
        """See Proxy."""
        self._failures.note(stream, error, outcome="broken off")
