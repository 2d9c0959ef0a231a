"""The live view's endpoint: what was logged since the last question, as JSON.

GET ?since=POSITION answers {"entries": [...], "position": "...", "note": ""}; the note says why there is nothing to
see. The conf file keeps this path out of the request log (log_off), else each question would be an answer to the next.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from request_log import Entry, Position, position_from, read_on
from responses import JSON, TEXT, Response, path_below, wsgi
from surroundings import log_folder

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_MAX_QUERY = 200
_NO_LOG = "These apps were started without skitaid, so there is no request log to show."


def live(environ: WSGIEnvironment) -> Response:
    if path_below(environ) not in ("", "/"):
        return Response("404 Not Found", b"The request log is at /live alone.\n", TEXT)
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")[:_MAX_QUERY]))
    return _answer(*_read(position_from(query.get("since", ""))))


app = wsgi(live)


def _read(since: Position) -> tuple[list[Entry], Position, str]:
    folder = log_folder()
    if folder is None:
        return [], since, _NO_LOG
    log = folder / "request.log"
    try:
        return *read_on(log, since), ""
    except FileNotFoundError:
        return [], since, f"{log} is not there yet."
    except OSError as error:
        return [], since, f"{log} cannot be read: {error.strerror}."


def _answer(entries: list[Entry], position: Position, note: str) -> Response:
    answer = {"entries": [entry.as_dict() for entry in entries], "position": str(position), "note": note}
    return Response("200 OK", json.dumps(answer).encode(), JSON, (("Cache-Control", "no-store"),))
