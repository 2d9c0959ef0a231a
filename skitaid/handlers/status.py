"""The engine's own pages: errors and redirects, as HTML for people and JSON for programs."""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from typing import Final

from skitaid.engine.stream import Fields, Stream
from skitaid.protocols.negotiation import weights

__all__ = ["error_page", "status_line"]

# As RFC 9110 names them; `http` does so from Python 3.13 on.
_PHRASES: Final = {
    413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content",
}  # fmt: skip
_FORMS: Final = (b"text/html", b"application/json")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34em;padding:0 1.5em;color:#222;"
    "background:#fff}h1{font-size:1.4em;margin:0}h1 b{color:#888;font-weight:400;margin-right:.5em}"
    "footer{color:#888;font-size:.85em;border-top:1px solid #ddd;margin-top:2em;padding-top:.5em}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#ddd}footer{border-color:#333}}"
)


def status_line(code: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{code} {_PHRASES.get(code) or HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Status {code}"


def error_page(stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
    """Status line, fields and body that tell the client what is wrong. `text` is shown to strangers: no paths, no
    names of modules."""
    line = status_line(code)
    form = _form(b"" if stream is None else stream.head.fields.get(b"accept") or b"")
    if form == b"text/html":
        kind, body = "text/html; charset=utf-8", _html(line, text)
    elif form == b"application/json":
        kind, body = "application/json", json.dumps({"code": code, "message": line[4:], "detail": text}) + "\n"
    else:
        kind, body = "text/plain; charset=utf-8", f"{line}\n{text}\n"
    return line, [("Content-Type", kind), ("Cache-Control", "no-store")], body.encode()


def _form(accept: bytes) -> bytes:
    """Which of the forms the client names: the one of most weight, of two alike the first (RFC 9110 section 12.5.1).
    Ranges such as */* name none: plain text is what a terminal shows best."""
    best, most = b"", 0.0
    for form, weight in weights(accept).items():
        if form in _FORMS and weight > most:
            best, most = form, weight
    return best


def _html(line: str, text: str) -> str:
    code, _, phrase = line.partition(" ")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{line}</title><style>{_STYLE}</style><h1><b>{code}</b>{escape(phrase)}</h1>"
        f"<p>{escape(text)}</p><footer>skitaid</footer></html>\n"
    )
