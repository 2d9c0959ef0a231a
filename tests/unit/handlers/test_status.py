from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from skitaid.engine.stream import Stream
from skitaid.handlers.status import error_page, status_line
from skitaid.protocols.headers import parse_block

PLAIN, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"


def asking(accept: str | None) -> Stream:
    """As much of a stream as a page looks at: the fields of its request."""
    fields = parse_block(b"" if accept is None else f"Accept: {accept}".encode())
    return cast(Stream, SimpleNamespace(head=SimpleNamespace(fields=fields)))


def kind_of(page: tuple[Any, Any, bytes]) -> str:
    fields = dict(page[1])
    assert fields["Cache-Control"] == "no-store"
    return str(fields["Content-Type"])


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (200, "200 OK"),
        (404, "404 Not Found"),
        (413, "413 Content Too Large"),
        (414, "414 URI Too Long"),
        (416, "416 Range Not Satisfiable"),
        (422, "422 Unprocessable Content"),
        (431, "431 Request Header Fields Too Large"),
        (599, "599 Status 599"),
    ],
)
def test_the_status_line(code: int, line: str) -> None:
    assert status_line(code) == line


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, PLAIN),
        ("*/*", PLAIN),
        ("image/png", PLAIN),
        ("text/plain, text/html;q=0", PLAIN),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("TEXT/HTML", HTML),
        ("text/html ; charset=utf-8", HTML),
        ("text/html, application/json", HTML),
        ("application/json", JSON),
        ("application/json, text/html", JSON),
        ("application/json;q=0.5, text/html;q=0.4", JSON),
        ("text/html;q=0.4, application/json;version=1;q=0.5", JSON),
        ("text/html;q=x, application/json;q=0.9", HTML),
        ("text/htmlx, application/jsonx", PLAIN),
        (",;,", PLAIN),
    ],
)
def test_the_form_is_what_the_client_prefers(accept: str | None, kind: str) -> None:
    """RFC 9110 section 12.5.1."""
    assert kind_of(error_page(asking(accept), 404, "nothing")) == kind


def test_without_a_request_it_is_plain_text() -> None:
    status, fields, body = error_page(None, 400, "no Host")
    assert status == "400 Bad Request"
    assert kind_of((status, fields, body)) == PLAIN
    assert body == b"400 Bad Request\nno Host\n"


def test_programs_get_the_same_as_json() -> None:
    _, _, body = error_page(asking("application/json"), 503, 'a "reason" \u2713')
    assert json.loads(body) == {"code": 503, "message": "Service Unavailable", "detail": 'a "reason" \u2713'}


def test_people_get_a_page_that_runs_no_text() -> None:
    _, _, body = error_page(asking("text/html"), 404, "<script>alert('x & y')</script> \u2713")
    page = body.decode()
    assert "<title>404 Not Found</title>" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x &amp; y&#x27;)&lt;/script&gt; \u2713" in page
