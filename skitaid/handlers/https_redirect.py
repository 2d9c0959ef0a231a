"""Requests that come without TLS are redirected to HTTPS, to the same host, path and query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from skitaid.engine.listener import Listener
from skitaid.engine.stream import Fields, Stream
from skitaid.protocols.headers import is_host

__all__ = ["HttpsRedirect"]

HTTPS_PORT: Final = 443


class Handler(Protocol):
    """Whoever answers the other requests; see engine.server."""

    def dispatch(self, stream: Stream) -> None: ...
    def error_page(self, stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]: ...


class HttpsRedirect:
    """A Handler of the engine (`engine.server.Handler`). `ports`: of each listener whose requests are sent on, where
    HTTPS is spoken."""

    def __init__(self, handler: Handler, ports: Mapping[Listener, int]) -> None:
        self._handler = handler
        self._ports = dict(ports)

    def dispatch(self, stream: Stream) -> None:
        port = self._ports.get(stream.connection.listener)
        if port is None:
            self._handler.dispatch(stream)
        else:
            self._send_on(stream, port)

    def error_page(self, stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
        return self._handler.error_page(stream, code, text)

    def _send_on(self, stream: Stream, port: int) -> None:
        location = _location(stream, port)
        if location is None:
            status, fields, body = self.error_page(stream, 400, "Write https:// in front of this site's address.")
            stream.respond(status, fields, body)
            return
        # 301 is what is kept and understood everywhere; but clients make a GET of any other method then.
        status = "301 Moved Permanently" if stream.head.line.method in ("GET", "HEAD") else "308 Permanent Redirect"
        head = b"HTTP/1.1 %b\r\nLocation: %b\r\nContent-Length: 0\r\n%b"
        stamp = stream.connection.engine.stamp.both
        # Made here, as what every other response carries may be meant for HTTPS alone (RFC 6797 section 7.2).
        stream.respond_rendered(status, head % (status.encode("ascii"), location, stamp), b"")


def _location(stream: Stream, port: int) -> bytes | None:
    """None: the client does not say which site it means, or asks for nothing that has an address."""
    line = stream.head.line
    host = line.authority if line.authority is not None else stream.head.fields.host
    target = line.target.encode("latin-1")
    if line.method == "CONNECT" or not host or not is_host(host):
        return None
    if not target.startswith(b"/"):
        # The absolute form has the authority in it (RFC 9112 section 3.2.2).
        _, _, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2]
        if not rest:
            return None
    name = _without_port(host)
    return b"https://%b%b%b" % (name, b"" if port == HTTPS_PORT else b":%d" % port, target) if name else None


def _without_port(host: bytes) -> bytes:
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0]
