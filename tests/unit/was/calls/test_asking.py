"""Words of an app → the order that is carried out, and those that follow from its replies."""

from __future__ import annotations

import io
from typing import Any

import pytest

from skitaid.was.calls.asking import order_of
from skitaid.was.calls.making import Words, make_ask
from skitaid.was.calls.order import Order
from skitaid.was.messages.content_types import FORM, JSON, XML, RequestType
from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.reply import Reply


def order(method: str = "GET", url: str = "http://h/a", kind: RequestType = JSON, **words: Any) -> Order:
    return order_of(make_ask(method, Words(url, **words), kind))


def fields(made: Order) -> dict[str, str]:
    names = [name for name, _ in made.call.fields]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in made.call.fields}


def follow(made: Order, status: int, *given: tuple[bytes, bytes]) -> Order | None:
    assert made.follow is not None
    return made.follow(Reply(status, "", given))


def followed(made: Order, status: int, *given: tuple[bytes, bytes]) -> Order:
    found = follow(made, status, *given)
    assert found is not None
    return found


# ---------------------------------------------------------------- the first order


def test_get() -> None:
    made = order(data={"q": "a b", "n": [1, 2]})
    assert (made.call.method, made.call.target) == ("GET", b"/a?q=a+b&n=1&n=2")
    assert made.call.body == b"" and made.call.is_idempotent and made.call.host is None
    found = fields(made)
    assert found["accept"] == "application/json"
    assert found["accept-encoding"].startswith("gzip, deflate")
    assert found["user-agent"].startswith("skitaid/")
    assert set(found) == {"accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_bodies_are_json(method: str) -> None:
    made = order(method, data={"user": "Hans Roh"})
    assert made.call.body == b'{"user":"Hans Roh"}'
    assert fields(made)["content-type"] == fields(made)["accept"] == "application/json"
    assert made.call.is_idempotent is (method == "PUT")


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/xml")],
        {"content-Type": "application/x-www-form-urlencoded", "Accept": "text/xml"},
    ],
)
def test_headers_choose_the_form(headers: Any) -> None:
    made = order("POST", "@delune/documents", data={"Title": "..."}, headers=headers)
    assert made.target.alias == "delune"
    assert made.call.body == b"Title=..."
    assert fields(made)["content-type"] == "application/x-www-form-urlencoded"
    assert fields(made)["accept"] == "text/xml"


def test_the_kind_chooses_the_form() -> None:
    made = order("POST", kind=FORM, data={"a": 1})
    assert made.call.body == b"a=1"
    assert fields(made)["content-type"] == FORM.content
    assert fields(order("POST", kind=XML, data="<a/>"))["content-type"] == "text/xml"


def test_an_empty_post() -> None:
    made = order("POST")
    assert made.call.body == b"" and "content-type" not in fields(made)


@pytest.mark.parametrize(
    ("method", "headers", "target", "body"),
    [
        ("DELETE", None, b"/a?id=1", b""),
        ("OPTIONS", None, b"/a?id=1", b""),
        ("HEAD", None, b"/a?id=1", b""),
        ("DELETE", {"Content-Type": "application/json"}, b"/a", b'{"id":1}'),
        ("GET", {"Content-Type": "application/json"}, b"/a?id=1", b""),
    ],
)
def test_where_data_goes(method: str, headers: Any, target: bytes, body: bytes) -> None:
    made = order(method, data={"id": 1}, headers=headers)
    assert (made.call.target, made.call.body) == (target, body)


def test_a_query_as_text_is_encoded_where_it_must_be() -> None:
    assert order(data="q=a b&x=é#y").call.target == b"/a?q=a%20b&x=%C3%A9"


def test_upload() -> None:
    made = order_of(make_ask("POST", Words("http://h/a", {"user": "x", "f": io.BytesIO(b"1")}), JSON, is_upload=True))
    assert made.call.body is None and made.streamed is not None
    assert made.call.content_length == made.streamed.content_length
    assert fields(made)["content-type"].startswith("multipart/form-data; boundary=")
    assert made.key is None


def test_a_file_as_a_body() -> None:
    made = order("PUT", data=io.BytesIO(b"raw"), headers={"Content-Type": "image/png"})
    assert made.streamed is not None and made.streamed.read(0, 10) == b"raw"
    assert fields(made)["content-type"] == "image/png"


def test_multipart_by_header() -> None:
    made = order("POST", data={"a": "1"}, headers={"Content-Type": "multipart/form-data"})
    assert made.streamed is not None and "boundary=" in fields(made)["content-type"]


def test_fields_of_ones_own() -> None:
    made = order(headers={"Host": "other", "User-Agent": "me", "Accept-Encoding": "identity", "X-A": "1"})
    assert made.call.host == b"other"
    assert fields(made) == {"user-agent": "me", "accept-encoding": "identity", "x-a": "1", "accept": "application/json"}


@pytest.mark.parametrize(
    "words",
    [
        {"timeout": 0}, {"timeout": -1}, {"timeout": "3"}, {"use_cache": "yes"}, {"auth": 5.0, "url": "http://h/"},
        {"url": 5}, {"data": 7}, {"url": "/a"},
    ],
)  # fmt: skip
def test_what_is_none_is_refused(words: Any) -> None:
    words = dict(words)
    with pytest.raises((CallError, TypeError)):
        order("GET", words.pop("url", "http://h/"), **words)


def test_times_and_caches() -> None:
    made = order(timeout=3, use_cache=12345.6)
    assert made.timeout_s == made.call.timeouts.total_s == 3
    assert (made.use_cache, made.is_cache_asked) == (12345.6, True)
    assert (order().use_cache, order().is_cache_asked) == (True, False)
    assert (order(use_cache=False).use_cache, order(use_cache=False).is_cache_asked) == (False, True)


@pytest.mark.parametrize(
    ("use_cache", "past"), [(None, False), (True, False), (False, True), (1700000000.5, True), (1.0, True)]
)
def test_the_response_cache(use_cache: Any, past: bool) -> None:
    assert order(use_cache=use_cache).call.past_cache is past


def test_keys() -> None:
    same = order("POST", data={"a": 1}, auth=("u", "p"))
    assert same.key == order("POST", data={"a": 1}, auth=("u", "p"), timeout=3, use_cache=False).key
    others = [
        order("PUT", data={"a": 1}, auth=("u", "p")), order("POST", data={"a": 2}, auth=("u", "p")),
        order("POST", data={"a": 1}, auth=("u", "q")), order("POST", data={"a": 1}),
        order("POST", "http://i/a", data={"a": 1}, auth=("u", "p")),
        order("POST", data={"a": 1}, auth=("u", "p"), headers={"x": "1"}),
    ]  # fmt: skip
    assert same.key is not None and all(other.key != same.key for other in others)


# ---------------------------------------------------------------- credentials


def test_tokens() -> None:
    assert fields(order(auth="abc"))["authorization"] == "Bearer abc"
    assert fields(order(auth="abc", headers={"Authorization": "mine"}))["authorization"] == "mine"


def test_credentials_of_a_url() -> None:
    made = order(url="https://me:p%40ss@h1/a")
    assert fields(made)["authorization"] == "Basic bWU6cEBzcw=="
    assert made.url == "https://h1/a"
    assert fields(order(url="https://me:x@h2/a", auth="abc"))["authorization"] == "Bearer abc"


def test_a_challenge_is_answered() -> None:
    made = order(url="http://h3/a?b", auth=("me", "secret"))
    assert "authorization" not in fields(made)
    again = followed(made, 401, (b"www-authenticate", b'Digest realm="r", nonce="n", qop="auth"'))
    assert fields(again)["authorization"].startswith('Digest username="me"')
    assert 'uri="/a?b"' in fields(again)["authorization"]
    # wrong password: that was it
    assert follow(again, 401, (b"www-authenticate", b'Digest realm="r", nonce="o", qop="auth"')) is None
    # the next call needs no challenge
    assert "nc=00000002" in fields(order(url="http://h3/b", auth=("me", "secret")))["authorization"]


def test_a_stale_nonce_for_ever() -> None:
    made: Order | None = order(url="http://h4/", auth=("me", "secret"))
    steps = 0
    while made is not None:
        made = follow(made, 401, (b"www-authenticate", b'Digest realm="r", nonce="n", stale=true'))
        steps += 1
        assert steps < 10
    assert steps == 3


@pytest.mark.parametrize("auth", [None, "token"])
def test_a_challenge_that_cannot_be_answered(auth: Any) -> None:
    assert follow(order(auth=auth), 401, (b"www-authenticate", b"Basic realm=x")) is None
    assert follow(order(auth=("a", "b")), 401) is None


# ---------------------------------------------------------------- redirects


def test_a_redirect() -> None:
    made = followed(order(headers={"Cookie": "a=1"}, auth="abc", timeout=3), 302, (b"location", b"/b?c"))
    assert (made.call.method, made.call.target) == ("GET", b"/b?c")
    assert fields(made)["cookie"] == "a=1" and fields(made)["authorization"] == "Bearer abc"
    assert made.timeout_s == 3


@pytest.mark.parametrize("location", [b"http://i/b", b"https://h/a", b"//h:81/"])
def test_credentials_stay_where_they_belong(location: bytes) -> None:
    headers = {"Cookie": "a=1", "Authorization": "mine", "Host": "h", "X-A": "1"}
    made = followed(order(headers=headers, auth=("me", "secret")), 307, (b"location", location))
    assert not {"cookie", "authorization"} & set(fields(made)) and fields(made)["x-a"] == "1"
    assert made.call.host is None
    assert follow(made, 401, (b"www-authenticate", b"Basic realm=x")) is None


def test_a_post_becomes_a_get() -> None:
    made = followed(order("POST", data={"a": 1}), 303, (b"location", b"/done"))
    assert (made.call.method, made.call.body) == ("GET", b"")
    assert "content-type" not in fields(made)


def test_a_post_stays_one() -> None:
    made = followed(order("POST", data={"a": 1}), 308, (b"location", b"/new"))
    assert (made.call.method, made.call.body) == ("POST", b'{"a":1}')
    assert fields(made)["content-type"] == "application/json"


def test_an_upload_is_sent_again() -> None:
    first = order("PUT", data=io.BytesIO(b"raw"))
    made = followed(first, 307, (b"location", b"/new"))
    assert made.streamed is first.streamed


def test_an_alias_stays_one() -> None:
    assert followed(order(url="@api/a"), 301, (b"location", b"/b")).target.alias == "api"


def test_what_is_no_redirect() -> None:
    assert follow(order(), 302) is None
    assert follow(order(), 304, (b"location", b"/")) is None
    assert follow(order(), 200, (b"location", b"/")) is None


def test_redirects_end() -> None:
    made = order()
    with pytest.raises(ReplyError, match="redirects"):
        for _ in range(100):
            made = followed(made, 302, (b"location", b"/a"))
    assert made.call.method == "GET"


def test_a_redirect_to_nowhere() -> None:
    with pytest.raises(ReplyError):
        follow(order(), 302, (b"location", b"ftp://h/"))
