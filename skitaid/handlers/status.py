"""The engine's own pages: errors and redirects, as HTML for people and JSON for programs."""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from typing import Final

from skitaid.engine.stream import Fields, Stream

__all__ = ["error_page", "status_line"]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34em;padding:0 1.5em;color:#222;"
    "background:#fff}h1{font-size:1.4em;margin:0}h1 b{color:#888;font-weight:400;margin-right:.5em}"
    "footer{color:#888;font-size:.85em;border-top:1px solid #ddd;margin-top:2em;padding-top:.5em}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#ddd}footer{border-color:#333}}"
)


def status_line(code: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Status {code}"


def error_page(stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
    """Status line, fields and body that tell the client what is wrong. `text` is shown to strangers: no paths, no
    names of modules."""
    line = status_line(code)
    accept = b"" if stream is None else stream.head.fields.get(b"accept") or b""
    if b"text/html" in accept:
        kind, body = "text/html; charset=utf-8", _html(line, text)
    elif b"application/json" in accept:
        kind, body = "application/json", json.dumps({"code": code, "message": line[4:], "detail": text}) + "\n"
    else:
        kind, body = "text/plain; charset=utf-8", f"{line}\n{text}\n"
    return line, [("Content-Type", kind), ("Cache-Control", "no-store")], body.encode()


def _html(line: str, text: str) -> str:
    code, _, phrase = line.partition(" ")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{line}</title><style>{_STYLE}</style><h1><b>{code}</b>{escape(phrase)}</h1>"
        f"<p>{escape(text)}</p><footer>skitaid</footer></html>\n"
    )
