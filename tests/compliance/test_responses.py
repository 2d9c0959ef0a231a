"""Responses on the wire: framing, what HEAD and HTTP/1.0 get, and what an app must not be able to write."""

from __future__ import annotations

from typing import Final

import pytest

from tests.compliance.client import Connect, Ending, WireError
from tests.compliance.server import LARGE


def get(target: str, method: str = "GET", version: str = "1.1", fields: str = "") -> bytes:
    return f"{method} {target} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode()


def test_every_response_has_a_date(connect: Connect) -> None:
    """RFC 9110 section 6.6.1."""
    wire = connect()
    for raw in (get("/x"), get("/static/small.txt"), get("/static/"), get("/pieces"), get("/fails"), get("/x y")):
        date = wire.ask(raw).fields["date"]
        assert date.endswith(" GMT")
        assert len(date) == len("Sun, 06 Nov 1994 08:49:37 GMT")


# ---------------------------------------------------------------- framing


def test_a_body_of_unknown_length_is_chunked(connect: Connect) -> None:
    """RFC 9112 section 7.1: an empty piece of the app must not end it."""
    wire = connect()
    for _ in range(2):
        response = wire.ask(get("/pieces"))
        assert response.is_chunked
        assert response.body == b"hello world"


@pytest.mark.parametrize("keep", ["", "Connection: keep-alive\r\n"])
def test_for_1_0_it_ends_with_the_connection(keep: str, connect: Connect) -> None:
    """RFC 9112 sections 6.1 and 6.3."""
    response = connect().ask(get("/pieces", version="1.0", fields=keep))
    assert response.is_until_close
    assert response.body == b"hello world"
    assert response.closes


@pytest.mark.parametrize("target", ["/large", "/static/large.bin"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_large_body_is_whole(target: str, version: str, connect: Connect) -> None:
    assert connect().ask(get(target, version=version)).body == LARGE


def test_no_more_than_the_promised_length(connect: Connect) -> None:
    """RFC 9112 section 6.3: what is beyond would be read as the next response."""
    wire = connect()
    assert wire.ask(get("/length?3")).body == b"hel"
    assert wire.ask(get("/length?5")).body == b"hello"


def test_less_than_the_promised_length_is_no_whole_response(connect: Connect) -> None:
    """RFC 9112 section 8: the connection ends before the body does."""
    with pytest.raises(WireError, match="within a response"):
        connect().ask(get("/length?7"))


def test_an_app_that_fails_at_once_is_a_500(connect: Connect) -> None:
    wire = connect()
    assert wire.ask(get("/fails")).status == 500
    assert wire.ask(get("/x")).status == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_app_that_fails_within_its_body_leaves_no_whole_response(version: str, connect: Connect) -> None:
    """RFC 9112 section 8: the last chunk is missing; where only the end of the connection tells, it is a reset."""
    wire = connect()
    wire.send(get("/fails?late", version=version))
    raw, ending = wire.drain()
    assert not raw.endswith(b"0\r\n\r\n")
    assert ending is Ending.RESET or b"\r\nTransfer-Encoding: chunked\r\n" in raw


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "205 Reset Content"])
def test_a_status_without_content_has_none(status: str, connect: Connect) -> None:
    """RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5."""
    wire = connect()
    response = wire.ask(get(f"/status?{status.replace(' ', '%20')}"))
    assert (response.status, response.body) == (int(status[:3]), b"")
    assert "transfer-encoding" not in response.fields
    if response.status == 204:
        assert "content-length" not in response.fields
    assert wire.ask(get("/x")).status == 200


# ---------------------------------------------------------------- HEAD


@pytest.mark.parametrize(
    "target", ["/x", "/pieces", "/length?5", "/static/small.txt", "/static/large.bin", "/static/none", "/fails"]
)
def test_head_is_get_without_the_body(target: str, connect: Connect) -> None:
    """RFC 9110 section 9.3.2; RFC 9112 section 6.3."""
    wire = connect()
    expected, found = wire.ask(get(target)), wire.ask(get(target, "HEAD"), "HEAD")
    assert found.status == expected.status
    assert set(found.fields) == set(expected.fields)
    if "REQUEST_METHOD" not in expected.body.decode("latin-1"):
        assert found.fields.get("content-length") == expected.fields.get("content-length")
    assert wire.ask(get("/x")).status == 200


def test_head_promises_no_length_that_get_would_not_have(connect: Connect) -> None:
    """RFC 9110 section 8.6: frameworks give no body to HEAD, and that is not a length of nothing."""
    wire = connect()
    assert wire.ask(get("/head-only")).fields["content-length"] == "5"
    assert wire.ask(get("/head-only", "HEAD"), "HEAD").fields.get("content-length") in (None, "5")
    assert wire.ask(get("/x")).status == 200


# ---------------------------------------------------------------- what an app must not write

SPLITS: Final = [
    "value-crlf", "value-lf", "value-cr", "value-nul", "value-body", "name", "status", "length", "connection",
    "interim",
]  # fmt: skip


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("path", ["/split", "/split/many"])
def test_a_response_that_would_be_two_is_a_500(kind: str, path: str, connect: Connect) -> None:
    """RFC 9112 section 11.1: nothing of it is on the wire; and section 9.2: the next response is the next request's."""
    wire = connect()
    wire.send(get(f"{path}?{kind}") + get("/x", fields="Connection: close\r\n"))
    response = wire.response()
    assert response.status == 500
    following = wire.response()
    assert (following.status, following.json["PATH_INFO"]) == (200, "/x")
    said = repr(response) + repr(following) + repr(wire.rest())
    assert "stolen" not in said
    assert "set-cookie" not in said.lower()
