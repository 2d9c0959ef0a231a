"""Whatever a client sends, an app of Atila answers, and never with a failure of its own."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skitaid.atila import Atila
from tests.unit.atila.caller import Caller

RULES = ("/", "/a", "/a/<int:n>", "/a/<float:x>/b", "/a/<name>/c", "/d/<path>", "/e-<int:n>-<name>", "/f/")
TYPES = (
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "text/xml",
    "application/x+json; charset=x",
    ";",
    "/",
)


def make() -> Atila:
    app = Atila(__name__)

    def answer(was: Any, **named: Any) -> Any:
        request = was.request
        facts = [request.uri, request.split_uri(), request.headers, request.get_main_type(), request.DATA, request.args]
        return was.API(facts=[str(each) for each in facts], named=named, url=was.partial("answer"))

    for rule in RULES:
        app.route(rule)(answer)
    app.access_control_allow_origin = ["http://example.com"]
    return app


CALL = Caller(make())
SEGMENTS = ["a", "d", "f", "e-1-x", "1", "1.5", "me", "b", "c", "", ".", "..", "%2f", "%ff"]
BODIES = [b'{"was": 1}', b"[1]", b'"x"', b"a=1&a=2&was=3", b"null"]
paths = st.one_of(
    st.lists(st.sampled_from(SEGMENTS), max_size=6).map("/".join),
    st.text(st.characters(exclude_characters="?", exclude_categories=["Cs"]), max_size=20),
)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    path=paths,
    query=st.text(st.characters(max_codepoint=126, min_codepoint=33), max_size=20),
    body=st.one_of(st.binary(max_size=30), st.sampled_from(BODIES)),
    kind=st.sampled_from(TYPES),
    origin=st.sampled_from(["", "http://example.com", "null"]),
    accept=st.sampled_from(["", "application/json", "text/html;q=x, application/json", "*/*"]),
)
def test_anything(  # noqa: PLR0917  # a request has so many parts
    method: str, path: str, query: str, body: bytes, kind: str, origin: str, accept: str
) -> None:
    answer = CALL(method, f"/{path}?{query}", body, CONTENT_TYPE=kind, HTTP_ORIGIN=origin, HTTP_ACCEPT=accept)
    assert answer.code < 500, answer.text
    assert method != "HEAD" or not answer.body
    assert all("\n" not in name + value and "\r" not in value for name, value in answer.fields)
