"""A guestbook: a form, and what visitors wrote with it.

A POST that worked is answered with a redirect to the list, so that loading the page again does not write again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from guestbook_store import Store
from pages import not_found, page
from responses import TEXT, Response, path_below, wsgi
from surroundings import data_folder

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

MAX_NAME = 60
MAX_MESSAGE = 1000
MAX_BODY_BYTES = 16 * 1024
_SHOWN = 50
_NO_FOLDER = "These apps were started without skitaid, so there is no folder to keep entries in."


@dataclass(frozen=True, slots=True)
class Draft:
    """What a visitor typed, and what is wrong with it ("" when nothing is)."""

    name: str = ""
    message: str = ""
    problem: str = ""


class RefusedPostError(Exception):
    """A POST that the form of this page does not send; carries the answer."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.response = Response(status, f"{reason}\n".encode(), TEXT)


def guestbook(environ: WSGIEnvironment) -> Response:
    path = path_below(environ)
    if path not in ("", "/"):
        return not_found(path)
    folder = data_folder()
    if folder is None:
        return _out_of_order(_NO_FOLDER, Draft())
    return _answer(environ, Store(folder))


app = wsgi(guestbook, methods=("GET", "POST"))


def _answer(environ: WSGIEnvironment, store: Store) -> Response:
    draft = Draft()
    try:
        if environ["REQUEST_METHOD"] != "POST":
            return _show(store, draft)
        _check_origin(environ)
        draft = read_draft(_read_body(environ))
        if draft.problem:
            return _show(store, draft, status="422 Unprocessable Content")
        store.add(draft.name, draft.message)
    except RefusedPostError as refused:
        return refused.response
    except (OSError, sqlite3.Error) as error:
        return _out_of_order(f"{store.folder} cannot be used: {error}", draft)
    mount = quote(environ.get("SCRIPT_NAME", ""), encoding="latin-1")
    return Response("303 See Other", b"", TEXT, (("Location", f"{mount}/#entries"),))


def read_draft(body: bytes) -> Draft:
    """The form's two fields, without blanks around them and with line ends as LF."""
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=8, errors="strict")
    except ValueError as error:
        raise RefusedPostError("400 Bad Request", "This is not a form in UTF-8.") from error
    name = " ".join(_field(fields, "name").split())
    message = _field(fields, "message").replace("\r\n", "\n").strip()
    return Draft(name, message, _problem(name, message))


def _field(fields: dict[str, list[str]], name: str) -> str:
    # SQLite and browsers do odd things with a NUL inside a text.
    return fields.get(name, [""])[0].replace("\0", "")


def _problem(name: str, message: str) -> str:
    if not name:
        return "Please give a name; any will do."
    if not message:
        return "The message is empty."
    if len(name) > MAX_NAME:
        return f"The name has {len(name)} characters; {MAX_NAME} fit."
    if len(message) > MAX_MESSAGE:
        return f"The message has {len(message)} characters; {MAX_MESSAGE} fit."
    return ""


def _check_origin(environ: WSGIEnvironment) -> None:
    """Refuses a form that another site's page sent. A client that sends neither header is no browser, so no page
    tricked it."""
    origin = environ.get("HTTP_ORIGIN")
    is_own = origin is None or urlsplit(origin).netloc.lower() == environ.get("HTTP_HOST", "").lower()
    fetch_site = environ.get("HTTP_SEC_FETCH_SITE")
    if fetch_site is not None:
        is_own = fetch_site in ("same-origin", "none")
    if not is_own:
        raise RefusedPostError("403 Forbidden", "This form was sent from another site's page.")


def _read_body(environ: WSGIEnvironment) -> bytes:
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        raise RefusedPostError("415 Unsupported Media Type", "Send name and message as an HTML form does.")
    length = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdecimal()):
        raise RefusedPostError("411 Length Required", "The request does not say how long it is.")
    if len(length) > 9 or int(length) > MAX_BODY_BYTES:
        raise RefusedPostError("413 Content Too Large", f"More than {MAX_BODY_BYTES} bytes are not read.")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _show(store: Store, draft: Draft, *, status: str = "200 OK") -> Response:
    return _page(status, draft, draft.problem, entries=store.newest(_SHOWN), count=store.count())


def _out_of_order(reason: str, draft: Draft) -> Response:
    return _page("503 Service Unavailable", draft, reason, is_open=False)


def _page(status: str, draft: Draft, problem: str, **values: object) -> Response:
    defaults = {"entries": (), "count": 0, "is_open": True, "max_name": MAX_NAME, "max_message": MAX_MESSAGE}
    return page("guestbook.html", status=status, draft=draft, problem=problem, **{**defaults, **values})
