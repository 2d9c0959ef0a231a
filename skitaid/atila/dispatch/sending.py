"""From what a function returned to what WSGI wants: a status, fields, and an iterable of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.atila.dispatch.answering import log_failure
from skitaid.atila.responses.bodies import HTML, Body, body_of, text_to_bytes
from skitaid.atila.responses.failures import error_content
from skitaid.atila.responses.reply import Fields, Reply, check_field
from skitaid.was.errors import HTTPError

__all__ = ["StartResponse", "failure_of", "respond"]

StartResponse = Callable[..., Any]

_BODILESS: Final = ("1", "204", "205", "304")
_OF_BODY: Final = ("content-type", "content-length")


def failure_of(error: BaseException) -> Reply:
    """The response to a request whose app raised. What is not an HTTPError goes to the log."""
    if isinstance(error, HTTPError):
        if error.status_code >= 500 and error.__cause__ is not None:
            log_failure()
        return Reply(error.status, None, explain=error.explain, exc_info=error)
    log_failure()
    return Reply("500 Internal Server Error", None, exc_info=error)


def respond(was: Was, content: Any, start_response: StartResponse, cors: Any = None) -> Iterable[bytes]:
    """Send what a function returned."""
    if type(content) is str and cors is None and was.made_response is None and was.at_commit is None:
        # What nearly every function returns.
        body = text_to_bytes(content)
        start_response("200 OK", [("Content-Type", HTML), ("Content-Length", str(len(body)))])
        return [body] if was.env["REQUEST_METHOD"] != "HEAD" else []
    if callable(content) and not hasattr(content, "to_body"):
        return _respond_app(was, content, start_response)
    try:
        status, fields, made = _made(was, content)
    except Exception as error:  # noqa: BLE001  # the root of a request: the app's own page failed, or returned what can't be sent
        status, fields, made = _page_of_failure(was, error)
    if cors is not None:
        fields += cors.fields(was.env)
    return _start(was, status, fields, made, start_response)


def _made(was: Was, content: Any) -> tuple[str, Fields, Body]:
    """Status, fields and body, with what was.response and others have to add."""
    reply = content if isinstance(content, Reply) else None
    response = was.made_response
    if reply is None and response is not None and response.error is not None and not content:
        reply = response.error
    if reply is None:
        status, fields, body = None, Fields(), body_of(content)
    else:
        status, fields, body = _of_reply(was, reply)
    if was.at_commit is not None:
        if status is not None:
            # Whether the page succeeded is something to them.
            was.response.status = status
        for function in was.at_commit:
            function(was)
    # A cookie may have been what first asked for it.
    response = was.made_response
    if response is not None:
        status = status or response.status
        fields += _not_in(fields, response.headers)
    return status or "200 OK", fields, body


def _of_reply(was: Was, reply: Reply) -> tuple[str | None, Fields, Body]:
    fields = [check_field(*pair) for pair in reply.headers]
    if reply.body is not None:
        inner = reply.body
        if isinstance(inner, Reply):
            status, more, body = _of_reply(was, inner)
            return reply.status or status, [*fields, *_not_in(fields, more)], body
        return reply.status, fields, body_of(inner)
    if reply.status is None:
        reply.status = was.response.status
    if reply.status[:3].startswith(_BODILESS) or (reply.status[0] in "23" and not reply.explain):
        return reply.status, fields, Body(b"")
    page = error_content(was, reply)
    # Its traceback has frames that have the reply: they would wait for the garbage collector.
    reply.exc_info = None
    if isinstance(page, Reply):
        status, more, body = _of_reply(was, page) if page.body is not None else (None, [], Body(b""))
        return status or reply.status, [*fields, *_not_in(fields, more)], body
    return reply.status, [*fields, ("Cache-Control", "no-store")], body_of(page)


def _page_of_failure(was: Was, error: Exception) -> tuple[str, Fields, Body]:
    """The page of a response that could not be made; a line, where what failed was that page."""
    reply = failure_of(error)
    # Cookies and sessions go with what the app answered; it may have been one of them that failed.
    was.at_commit = None
    try:
        return _made(was, reply)
    except Exception as another:  # noqa: BLE001  # the root of a request: there is nobody else to ask
        if not isinstance(another, HTTPError):
            log_failure()
    assert reply.status is not None
    return reply.status, [], Body(reply.status.encode(), "text/plain; charset=utf-8")


def _start(was: Was, status: str, fields: Fields, made: Body, start_response: StartResponse) -> Iterable[bytes]:
    names = {name.lower() for name, _ in fields}
    content = made.content
    for pair in made.fields:
        if pair[0].lower() not in names:
            fields.append(pair)
            names.add(pair[0].lower())
    if status.startswith(_BODILESS):
        _close(content)
        if not status.startswith("205"):
            start_response(status, [pair for pair in fields if pair[0].lower() not in _OF_BODY])
            return []
        # RFC 9110 section 15.3.6: it says that it is empty.
        content = b""
        fields = [pair for pair in fields if pair[0].lower() != "content-length"]
        names.discard("content-length")
    if "content-type" not in names:
        fields.append(("Content-Type", made.kind))
    if isinstance(content, bytes) and "content-length" not in names:
        fields.append(("Content-Length", str(len(content))))
    start_response(status, fields)
    if was.env["REQUEST_METHOD"] == "HEAD":
        _close(content)
        return []
    return [content] if isinstance(content, bytes) else content


def _respond_app(was: Was, app: Any, start_response: StartResponse) -> Iterable[bytes]:
    """A WSGI app in place of a response, as was.proxypass gives one. What was.response has goes along."""

    def start(status: str, fields: Fields, exc_info: Any = None) -> Any:
        response = was.made_response
        more = [] if response is None else _not_in(fields, response.headers)
        return start_response(status, [*fields, *more], *(() if exc_info is None else (exc_info,)))

    found: Iterable[bytes] = app(was.env, start)
    return found


def _not_in(fields: Fields, others: Fields) -> Fields:
    """Those whose name does not stand in `fields`, and those of which there may be several."""
    names = {name.lower() for name, _ in fields}
    return [pair for pair in others if pair[0].lower() not in names or pair[0].lower() in ("set-cookie", "vary")]


def _close(content: Any) -> None:
    close = getattr(content, "close", None)
    if close is not None:
        close()
