"""The forward proxy: clients ask it for what other servers have, by http requests whose target names the server, and by
tunnels (RFC 9110 section 3.7, RFC 9112 sections 3.2.2 and 3.2.3).

Requests for the instance's own hosts are its own, whatever form their target has; everything of that kind that is not
for them comes here. Of its clients the servers learn nothing but what these say themselves.
"""

from __future__ import annotations

import binascii
import hmac
from typing import Final, Protocol

from skitaid.engine.server import Engine
from skitaid.engine.stream import Fields, Stream
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.forward.connect import CONNECT_S, Connecting
from skitaid.handlers.forward.policy import ForwardSettings, TargetPolicy, is_this_machine, may_be_asked
from skitaid.handlers.proxy.fields import MAX_HOPS, client_fields, count_hops, may_go_on, passed_lines, via_line
from skitaid.handlers.proxy.proxied_request import ProxiedRequest
from skitaid.handlers.proxy.rewrite import Reply, Rewrite
from skitaid.handlers.proxy.tunnel import Tunnels
from skitaid.handlers.proxy.upload import BodyBuffering, Upload
from skitaid.handlers.site import Site
from skitaid.handlers.status import status_line
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestHead, RequestLine
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.call import Call, CallTimeouts, Exchange, Receiver
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.guarded import TargetRefusedError

__all__ = ["ForwardProxy", "Origins"]

_REALM: Final = ("Proxy-Authenticate", 'Basic realm="proxy", charset="UTF-8"')
_PORTS: Final = {"http": 80, "https": 443}
_BODIES: Final = BodyRules(is_streamed=True)
"""Nobody waits for a body: who uses the proxy is known to it, and what is uploaded may be long."""


class OriginRequester(Protocol):
    """A server."""

    def request(self, call: Call, receiver: Receiver) -> Exchange:
        """Make a call. `receiver` hears nothing before this has returned. Raises UpstreamError."""


class Origins(Protocol):
    """Servers by scheme, host and port: upstream.upstreams, or a cache in front of that. They are to connect to nothing
    that the proxy does not lead to."""

    def origin(self, scheme: str, host: str, port: int) -> OriginRequester:
        """What makes calls to that server. Raises UpstreamError."""


class ForwardRewrite(Rewrite):
    """To a server that the client named: `name`, without brackets."""

    __slots__ = ("name", "port", "scheme")

    def __init__(self, owner: object, head: RequestHead, scheme: str) -> None:
        super().__init__(owner, _target(head.line), head, head.line.authority)
        self.scheme = scheme
        self.name, self.port = _split(head.line.authority or b"", _PORTS[scheme])

    def lines(self, stream: Stream) -> bytes:
        head = stream.head
        return passed_lines(head.fields) + via_line(head.line.minor)


class ForwardProxy:
    """An `engine.server.Handler` in front of the site's, and the `proxy.proxied_request.Proxy` of its requests.
    `context` is for tunnels: it is to resolve names as `origins` does."""

    def __init__(
        self, engine: Engine, site: Site, settings: ForwardSettings, *, origins: Origins, context: UpstreamContext
    ) -> None:
        self._engine = engine
        self._site = site
        self._settings = settings
        self._origins = origins
        self._context = context
        self._allow = TrustedPeers(settings.allow)
        self._deny = TrustedPeers(settings.deny)
        self._users = {name: password.encode() for name, password in settings.users}
        self.policy = TargetPolicy(settings.allow_targets, settings.deny_targets)
        self._timeouts = CallTimeouts(connect_s=CONNECT_S, stall_s=settings.channel_s)
        self.tunnels = Tunnels(engine, settings.tunnel_s)

    # ------------------------------------------------------------ engine.server.Handler

    def dispatch(self, stream: Stream) -> None:
        """Ours if the target names a server, and not one of this instance."""
        line = stream.head.line
        if line.authority is None or self._is_ours(stream, line):
            self._site.dispatch(stream)
            return
        try:
            self._serve(stream)
        except ProtocolError as error:
            self._engine.respond_error(stream, error.status, error.reason)

    def error_page(self, stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
        return self._site.error_page(stream, code, text)

    def _is_ours(self, stream: Stream, line: RequestLine) -> bool:
        """A host of the conf; or this machine by its address, at the port where the request came in."""
        if line.method == "CONNECT":
            return False
        authority = line.authority or b""
        if self._site.router.has_name(authority):
            return True
        host, port = _split(authority, 80)
        is_here = str(port) == stream.connection.listener.port
        return is_here and (host == "localhost" or (_is_address(host) and is_this_machine(host)))

    # ------------------------------------------------------------ requests

    def _serve(self, stream: Stream) -> None:
        """Answer as a proxy. Raises ProtocolError for a request that is refused."""
        head = stream.head
        self._check_client(stream)
        if not self._is_known(head):
            status, fields, body = self.error_page(stream, 407, "This proxy asks for a name and a password.")
            stream.respond(status, [*fields, _REALM], body)
            return
        if head.line.method == "CONNECT":
            self._connect(stream)
            return
        if head.line.method == "TRACE":
            raise ProtocolError(405, "TRACE is not passed on.")
        if count_hops(head.fields) >= MAX_HOPS:
            raise ProtocolError(508, "This request goes round in circles.")
        if not may_go_on(head.line.method, head.fields):
            stream.respond("204 No Content", [], b"")
            return
        rewrite = ForwardRewrite(self, head, "https" if head.line.target[:5].lower() == "https" else "http")
        self._check_target(rewrite.name)
        if not may_be_asked(rewrite.port):
            raise ProtocolError(403, f"This proxy asks nobody at port {rewrite.port}.")
        if head.content_length == 0:
            ProxiedRequest(self, stream, rewrite).begin()
        else:
            buffering = BodyBuffering(None, _BODIES.is_streamed, self._engine.spool, self._engine.disk)
            Upload(self, stream, rewrite, buffering).start()

    def _connect(self, stream: Stream) -> None:
        head = stream.head
        if head.content_length != 0:
            raise ProtocolError(400, "A request for a tunnel has no body.")
        host, port = _split(head.line.authority or b"", 443)
        self._check_target(host)
        ports = self._settings.connect_ports
        if ports is not None and port not in ports:
            raise ProtocolError(403, f"This proxy makes no tunnels to port {port}.")
        Connecting(self, stream, self._context).begin(host, port)

    def _check_client(self, stream: Stream) -> None:
        forwarded = stream.forwarded
        client = stream.connection.peer if forwarded is None or forwarded.client is None else forwarded.client[0]
        if not self._allow.holds(client) or self._deny.holds(client):
            raise ProtocolError(403, "This server is not a proxy for you.")

    def _check_target(self, host: str) -> None:
        if not host or not self.policy.may_name(host):
            raise ProtocolError(403, "This proxy does not lead there.")

    def _is_known(self, head: RequestHead) -> bool:
        """RFC 9110 section 11.7.2. How long a wrong password takes tells nothing about the right one."""
        if not self._users:
            return True
        scheme, _, rest = (head.fields.get(b"proxy-authorization") or b"").partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            name, _, password = binascii.a2b_base64(rest.strip()).partition(b":")
        except (binascii.Error, ValueError):
            return False
        expected = self._users.get(name.decode("utf-8", "replace"))
        return hmac.compare_digest(password, expected or b"") and expected is not None

    # ------------------------------------------------------------ what passages ask

    def request(self, proxied: ProxiedRequest, body: bytes | None, length: int | None) -> Exchange:
        """See Proxy."""
        stream, rewrite = proxied.stream, proxied.rewrite
        assert isinstance(rewrite, ForwardRewrite)
        origin = self._origins.origin(rewrite.scheme, rewrite.name, rewrite.port)
        call = Call(
            rewrite.method, rewrite.target, (), rewrite.host, body, content_length=length, upgrade=rewrite.upgrade,
            timeouts=self._timeouts, lines=rewrite.lines(stream),
        )  # fmt: skip
        if proxied.before_read is not None:
            call.lines += b"expect: 100-continue\r\n"
        return origin.request(call, proxied)

    def reply(self, head: ResponseHead) -> Reply:
        """See Proxy."""
        reason = head.reason.decode("latin-1")
        status = f"{head.status} {reason}" if reason else status_line(head.status)
        return Reply(self, status, client_fields(head.fields, minor=head.minor))

    def answer_failure(self, stream: Stream, error: UpstreamError) -> None:
        """See Proxy. The client named the server, so it may know what is wrong with it."""
        if isinstance(error, TargetRefusedError):
            self._engine.respond_error(stream, 403, "This proxy does not lead there.")
        elif error.failure is Failure.UNRESOLVED:
            self._engine.respond_error(stream, 502, "That name has no address.")
        else:
            self._engine.respond_error(stream, error.status, f"{error.failure.value[1].capitalize()}.")

    def note_break(self, stream: Stream, error: UpstreamError) -> None:
        """See Proxy. The request log tells that its client did not get all of it."""


def _target(line: RequestLine) -> bytes:
    """Path and query as the server is to get them (RFC 9112 section 3.2.1, and 3.2.4 for OPTIONS without a path)."""
    rest = line.target.partition("://")[2]
    if line.method == "OPTIONS" and "/" not in rest and "?" not in rest:
        return b"*"
    return b"%b?%b" % (line.raw_path, line.raw_query) if "?" in rest else line.raw_path


def _split(authority: bytes, usual: int) -> tuple[str, int]:
    """Host, without brackets, and port. The host is "" for what has none that can be meant."""
    host, colon, port = authority.decode("latin-1").rpartition(":")
    if not colon or not port.isdecimal():
        host, port = authority.decode("latin-1").removesuffix(":"), str(usual)
    number = int(port)
    return (host.strip("[]").lower() if 0 < number < 65536 and host.isascii() else ""), number


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()
