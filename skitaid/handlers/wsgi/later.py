"""Responses of WSGI apps that come later (was.later): which they are, and what is sent when they are there."""

from __future__ import annotations

import json
from typing import Any, Final

from skitaid.handlers.wsgi.call import Call
from skitaid.was.later import Later

__all__ = ["later_of", "response_of"]

_OF_BODY: Final = frozenset({"content-type", "content-length", "etag"})


def later_of(call: Call, result: Any) -> Later | None:
    """What stands in place of a response: what the app gave, or what a framework took for a response of its own and
    passed on (was.tasks.promises.Futures.__call__). What the framework sent of that is not sent, but for fields such as
    Set-Cookie, which go along with the response."""
    if isinstance(result, Later):
        return result
    memory = call.memory
    if memory is None or memory.later is None:
        return None
    later: Later = memory.later
    memory.later = None
    call.more_fields = [pair for pair in call.fields if pair[0].lower() not in _OF_BODY]
    call.status, call.fields = "", []
    return later


def response_of(made: Any, call: Call) -> Any:
    """The body of the response that was made, for WSGI: `made` is a WSGI app (as the responses of Flask are), a text
    or bytes or a dict (HTML and JSON, if the app did not call start_response), or an iterable as PEP 3333 has it."""
    if callable(made):
        made = made(call.environ, call.start_response)
    elif not call.status and isinstance(made, dict):
        call.start_response("200 OK", [("Content-Type", "application/json")])
        made = [json.dumps(made, ensure_ascii=False).encode()]
    elif not call.status and isinstance(made, (str, bytes)):
        call.start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    if call.more_fields:
        call.fields = [*call.fields, *call.more_fields]
        call.more_fields = ()
    return made
