"""What a client sees when something goes wrong: the app's own page, else ours, as HTML or JSON as the client prefers.

Where it happened is shown in debug mode alone, or where the app says so; it always goes to the log.
"""

from __future__ import annotations

import time
from html import escape
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.atila.responses.api import frames_of
from skitaid.atila.responses.bodies import JSON, Body, to_json
from skitaid.atila.responses.error_handlers import DEFAULT
from skitaid.atila.responses.reply import Reply
from skitaid.protocols.negotiation import weights
from skitaid.was.errors import HTTPError

__all__ = ["error_content", "error_of", "wants_json"]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:44em;padding:0 1.5em;color:#222;"
    "background:#fff}h1{font-size:1.4em;margin:0}h1 b{color:#888;font-weight:400;margin-right:.5em}"
    "pre{background:#8881;border-radius:6px;padding:1em;overflow:auto;font-size:.85em}"
    "footer{color:#888;font-size:.85em;border-top:1px solid #8884;margin-top:2em;padding-top:.5em}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#ddd}}"
)


def error_of(was: Was, reply: Reply) -> dict[str, Any]:
    """What error handlers are given: code, message, detail, mode, debug, time, url, software, traceback, errno."""
    assert reply.status is not None
    code, _, message = reply.status.partition(" ")
    error = _exception_of(reply.exc_info)
    is_shown = error is not None and (was.app.debug or not isinstance(reply.exc_info, BaseException))
    frames = frames_of(error) if is_shown else None
    return {
        "code": int(code),
        "message": message,
        "detail": reply.explain,
        "mode": "debug" if was.app.debug else "normal",
        "debug": frames[0] if frames else None,
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "url": was.request.uri,
        "software": was.env.get("SERVER_SOFTWARE", ""),
        "traceback": frames,
        "errno": getattr(error, "code", None) if isinstance(error, HTTPError) else None,
    }


def error_content(was: Was, reply: Reply) -> Any:
    """The body of the page of a status: what the app's handler gives, else ours."""
    error = error_of(was, reply)
    handlers: dict[int, Any] = was.app.error_handlers
    handler = handlers.get(error["code"]) or handlers.get(DEFAULT)
    if handler is not None:
        return handler(was, error)
    return _json(error) if wants_json(was.env.get("HTTP_ACCEPT", "")) else _html(error)


def wants_json(accept: str) -> bool:
    """Whether a client that says so would rather have JSON than HTML."""
    if "json" not in accept:
        return False
    found = weights(accept.encode("latin-1", "replace"))
    return found.get(b"application/json", 0.0) > found.get(b"text/html", 0.0)


def _exception_of(exc_info: Any) -> BaseException | None:
    """An exception as such is shown in debug mode; what sys.exc_info() gave, always."""
    if exc_info is None or isinstance(exc_info, BaseException):
        return exc_info
    error: BaseException | None = exc_info[1]
    return error


def _json(error: dict[str, Any]) -> Any:
    content = {"code": error["code"], "message": error["message"]}
    if error["detail"]:
        content["detail"] = error["detail"]
    if error["traceback"]:
        content["traceback"] = error["traceback"]
    return _Page(to_json(content) + b"\n", JSON)


def _html(error: dict[str, Any]) -> str:
    line = escape(f"{error['code']} {error['message']}")
    frames = "\n".join(error["traceback"] or ())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{line}</title><style>{_STYLE}</style>"
        f"<h1><b>{error['code']}</b>{escape(error['message'])}</h1>"
        + (f"<p>{escape(str(error['detail']))}</p>" if error["detail"] else "")
        + (f"<pre>{escape(frames)}</pre>" if frames else "")
        + "</html>\n"
    )


class _Page:
    def __init__(self, content: bytes, kind: str) -> None:
        self._body = Body(content, kind)

    def to_body(self) -> Body:
        return self._body
