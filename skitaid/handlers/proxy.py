"""The reverse proxy: requests of one mount point, answered by the members of an alias (RFC 9110 section 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.body_rules import NO_RULES, BodyRules
from skitaid.handlers.proxy_body import Keeping, Upload
from skitaid.handlers.proxy_failure import FailureLog, page_text
from skitaid.handlers.proxy_fields import MAX_HOPS, Hop, client_fields, count_hops, id_lines, passed_lines, told_lines
from skitaid.handlers.proxy_passage import Passage
from skitaid.handlers.proxy_target import Remap
from skitaid.handlers.proxy_tunnel import Tunnels
from skitaid.handlers.router import Route
from skitaid.handlers.status import status_line
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import HeaderBlock
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.affinity import Affinity
from skitaid.upstream.call import Call, CallTimeouts, Exchange, Receiver
from skitaid.upstream.errors import UpstreamError

__all__ = ["ProxySettings", "Requester", "ReverseProxy"]

_MAX_TOLD: Final = 1024
_TUNNEL_S: Final = 600.0
_SWITCHES: Final = frozenset({b"websocket"})
"""h2c is not among them: behind an upgrade to it, requests would pass that nobody looks at."""


class Requester(Protocol):
    """A cluster, or a cache in front of one."""

    def request(self, call: Call, receiver: Receiver) -> Exchange:
        """Make a call. `receiver` hears nothing before this has returned. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """One mount. `where`: its host and path, for people. `remap`: what stands in front of the path instead of the mount
    point. `origins`: what the members call themselves in redirects (`http://host:port`, lower case). `host`: what they
    are told as Host; None: `passes_host` tells whether that is what the client said, or their own name. `source`: the
    networks of clients that may ask; empty: all. `tunnel_s`: for websockets, without a byte."""

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


class ReverseProxy:
    """A router.RouteHandler, and the proxy_passage.PassageProxy of its requests. `mount`: the path of its Route.
    `write` is told a line for each failure."""

    def __init__(
        self, engine: Engine, mount: str, requester: Requester, settings: ProxySettings, *, write: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._requester = requester
        self._settings = settings
        self._remap = Remap(mount, settings.remap)
        self._source = TrustedPeers(settings.source) if settings.source else None
        self._may_code = settings.bodies.may_code
        self._told: dict[tuple[str, bytes | None, int], bytes] = {}
        self._failures = FailureLog(settings.where, settings.alias, write)
        self.tunnels = Tunnels(engine, settings.tunnel_s)

    def serve(self, stream: Stream, route: Route) -> bool:
        head = stream.head
        stream.may_code = self._may_code
        try:
            self._admit(stream)
            target = self._remap.target(head.line)
            if head.content_length == 0:
                Passage(self, stream, target).begin()
            else:
                Upload(self, stream, target, self._keeping(stream)).start()
        except ProtocolError as error:
            self._engine.respond_error(stream, error.status, error.reason)
        return True

    def _admit(self, stream: Stream) -> None:
        """Raises ProtocolError for a request that is not passed on."""
        line, fields = stream.head.line, stream.head.fields
        if self._source is not None and not self._source.holds(_client(stream)):
            raise ProtocolError(403, "This address may not be asked from where you are.")
        if line.method == "TRACE":
            # What it shows are the fields that we add, and perhaps a cookie that no script may read.
            raise ProtocolError(405, "TRACE is not passed on.")
        if b"via:" in passed_lines(fields) and count_hops(fields) >= MAX_HOPS:
            raise ProtocolError(508, "This request goes round in circles.")

    def _keeping(self, stream: Stream) -> Keeping:
        """Raises ProtocolError for a body that is too long."""
        bodies, engine, length = self._settings.bodies, self._engine, stream.head.content_length
        limit = bodies.limit(stream.head)
        if limit is not None and length is not None and length > limit:
            raise ProtocolError(413, f"The body may be {limit} bytes long at most.")
        return Keeping(limit, bodies.is_streamed, engine.spool, engine.disk)

    # ------------------------------------------------------------ what passages ask

    def request(self, passage: Passage, body: bytes | None, length: int | None) -> Exchange:
        """See PassageProxy."""
        stream, settings = passage.stream, self._settings
        head = stream.head
        fields = head.fields
        upgrade = fields.upgrade if body == b"" and fields.upgrade in _SWITCHES and head.line.minor else None
        call = Call(
            head.line.method,
            passage.target,
            host=head.host if settings.passes_host and settings.host is None else settings.host,
            body=body,
            content_length=length,
            affinity=None if settings.affinity is None else settings.affinity.key_of(fields),
            upgrade=upgrade,
            timeouts=settings.timeouts,
            lines=self._lines(stream, fields),
        )
        if passage.before_read is not None:
            call.lines += b"expect: 100-continue\r\n"
        return self._requester.request(call, passage)

    def _lines(self, stream: Stream, fields: HeaderBlock) -> bytes:
        return b"%b%b%b" % (
            passed_lines(fields), self._told_lines(stream, fields), id_lines(stream.gtxnid, stream.ltxnid),
        )  # fmt: skip

    def _told_lines(self, stream: Stream, fields: HeaderBlock) -> bytes:
        """Most clients ask more than once."""
        peer, heard, minor = stream.connection.peer, stream.heard, stream.head.line.minor
        if heard is not None:
            return told_lines(fields, Hop(peer, heard.scheme, minor, heard))
        key = (peer, fields.host, minor)
        told = self._told.get(key)
        if told is None:
            told = told_lines(fields, Hop(peer, minor=minor))
            if len(self._told) >= _MAX_TOLD:
                self._told.clear()
            self._told[key] = told
        return told

    def reply_fields(self, head: ResponseHead) -> tuple[str, list[tuple[bytes, bytes]]]:
        """See PassageProxy."""
        fields = client_fields(head.fields, minor=head.minor)
        origins = self._settings.origins
        if origins:
            fields = [
                (name, self._remap.location(value, origins)) if name == b"location" else (name, value)
                for name, value in fields
            ]
        reason = head.reason.decode("latin-1")
        return (f"{head.status} {reason}" if reason else status_line(head.status)), fields

    def answer_failure(self, stream: Stream, error: UpstreamError) -> None:
        """See PassageProxy."""
        self._failures.note(stream, error, outcome=f"answered {error.status}")
        self._engine.respond_error(stream, error.status, page_text(error), retry=error.status == 503)

    def note_break(self, stream: Stream, error: UpstreamError) -> None:
        """See PassageProxy."""
        self._failures.note(stream, error, outcome="broken off")


def _client(stream: Stream) -> str:
    """The address of who asks, as far as it is believed."""
    heard = stream.heard
    return stream.connection.peer if heard is None or heard.client is None else heard.client[0]
