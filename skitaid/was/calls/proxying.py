"""`return was.proxypass("@myupstream", path)`: the client gets what another server answers.

For pages in development and the like: GET alone, and the whole answer is taken before it is passed on. To put a server
in front of others mount the alias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from skitaid.was.calls.launch import launch
from skitaid.was.calls.methods import order
from skitaid.was.context import bound_request
from skitaid.was.errors import HTTPError, NoRequestError
from skitaid.was.messages.fields import Headers
from skitaid.was.messages.reply import Decoded, Reply
from skitaid.was.tasks.promises import Future
from skitaid.was.tasks.result import STA_NORMAL, Result

__all__ = ["PROXY_S", "PassedOn", "proxypass"]

PROXY_S: Final = 3.0
# RFC 9110 section 7.6.1, what is made anew for each connection, and ids, which we give ourselves.
_NOT_PASSED: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "content-type", "expect", "x-gtxn-id", "x-ltxn-id",
})  # fmt: skip


def proxypass(alias: str, path: str = "", timeout: float = PROXY_S) -> Future:
    """A response, to be returned: what `alias` answers to the request's GET for `path`, with the request's query and
    fields; 502 or 504 when it does not answer. `timeout` in seconds. Raises HTTPError 405 for any other method,
    NoRequestError, CallError."""
    bound = bound_request()
    if bound is None:
        raise NoRequestError("proxypass")
    environ = bound.environ
    method = environ.get("REQUEST_METHOD") or environ.get("method", "")
    if method != "GET":
        raise HTTPError("405 Method Not Allowed", "was.proxypass is for GET alone")
    query = environ.get("QUERY_STRING") or environ.get("query_string", b"").decode("latin-1")
    url = f"{alias.rstrip('/')}/{(path or '').lstrip('/')}" + (f"?{query}" if query else "")
    made = order("GET", url, headers=_request_fields(environ), timeout=timeout)
    task = launch(replace(made, decode=_as_it_is, follow=None, key=None))
    return _Passing(task, timeout)


class PassedOn:
    """The answer, as a WSGI app."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Pass the answer on, as a WSGI app (PEP 3333)."""
        result = self.result
        status = f"{result.status_code} {result.reason or '-'}"
        headers = result.headers
        pairs = headers.pairs if isinstance(headers, Headers) else ()
        # The type is the other server's, or none at all.
        passed = [pair for pair in pairs if _is_passed(pair[0]) or pair[0].lower() == "content-type"]
        start_response(status, passed)
        return [result.content]


class _Passing(Future):
    """Makes its response without being told how."""

    def make(self) -> Any:
        result = self._results()
        if result.status != STA_NORMAL:
            result.reraise()
        return PassedOn(result)


def _request_fields(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Those that are for whoever answers."""
    if "headers" in environ:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in environ["headers"]]
    else:
        pairs = [
            (name[5:].replace("_", "-").lower(), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        ]
    passed = [pair for pair in pairs if _is_passed(pair[0])]
    if not any(name == "accept-encoding" for name, _ in passed):
        passed.append(("accept-encoding", "identity"))
    return passed


def _is_passed(name: str) -> bool:
    return name.lower() not in _NOT_PASSED


def _as_it_is(reply: Reply) -> Decoded:
    """Neither unpacked nor decoded: the client gets what came."""
    return Decoded(reply.status_code, reply.reason, Headers(reply.fields), reply.body, None)
