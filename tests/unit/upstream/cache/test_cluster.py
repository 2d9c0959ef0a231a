"""Requests through a cache: hits, misses, validation, stale responses, invalidation."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.protocols.dates import http_date
from skitaid.upstream.cache.asked import asked_of
from skitaid.upstream.call import Call
from skitaid.upstream.errors import Failure, UpstreamError
from tests.unit.upstream.cache.origin import START, Heard, Scene, head


@pytest.fixture
def scene() -> Scene:
    return Scene()


# ---------------------------------------------------------------- hits and misses


def test_a_hit_needs_no_member(scene: Scene) -> None:
    first = scene.fetch("/a", "Cache-Control: max-age=60", "Content-Type: text/plain", "X-A: 1", body=b"one")
    assert (first.status, first.body) == (200, b"one")
    assert first.get("cache-status") == "skitaid; fwd=uri-miss; stored"
    scene.now += 7
    second = scene.ask("/a")
    assert (second.status, second.body, second.is_ended) == (200, b"one", True)
    assert (second.get("age"), second.get("content-type"), second.get("x-a")) == ("7", "text/plain", "1")
    assert second.get("cache-status") == "skitaid; hit; ttl=53"
    assert second.head is not None
    assert second.head.content_length == 3
    assert len(scene.calls) == 1


def test_a_response_without_a_date_gets_one(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60")
    assert scene.ask("/a").get("date") == http_date(START)


def test_the_date_of_the_server_stays(scene: Scene) -> None:
    date = http_date(START - 5)
    scene.fetch("/a", "Cache-Control: max-age=60", f"Date: {date}")
    hit = scene.ask("/a")
    assert (hit.get("date"), hit.get("age")) == (date, "5")


def test_what_is_not_to_be_kept_goes_through_whole(scene: Scene) -> None:
    for text in ("no-store", "private"):
        heard = scene.fetch(f"/{text}", f"Cache-Control: {text}, max-age=9", "Set-Cookie: a=1", "Set-Cookie: b=2")
        assert heard.body == b"hello"
        assert heard.head is not None
        assert [line.value for line in heard.head.fields.fields if line.name == b"set-cookie"] == [b"a=1", b"b=2"]
        assert heard.get("cache-status") == f"skitaid; fwd=uri-miss; detail={text}"
        scene.fetch(f"/{text}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"target": "/a"}, {"target": "/b"}),
        ({"target": "/a?x=1"}, {"target": "/a?x=2"}),
        ({"host": b"one.example"}, {"host": b"two.example"}),
    ],
)
def test_another_target_or_host_is_another_response(scene: Scene, first: Any, second: Any) -> None:
    scene.ask(**first)
    scene.last.answer(200, "Cache-Control: max-age=60", body=b"1")
    scene.ask(**second)
    assert len(scene.calls) == 2


def test_head_is_answered_by_what_get_brought(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", body=b"12345")
    heard = scene.ask("/a", method="HEAD")
    assert (heard.status, heard.body, heard.is_ended) == (200, b"", True)
    assert heard.head is not None
    assert heard.head.content_length == 5


def test_a_head_that_is_not_there_is_passed_on_and_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a", method="HEAD")
    scene.last.answer(200, "Cache-Control: max-age=60")
    assert heard.is_ended
    scene.ask("/a", method="HEAD")
    scene.ask("/a")
    assert [call.call.method for call in scene.calls] == ["HEAD", "HEAD", "GET"]


def test_a_get_with_a_body_is_none_of_the_caches_business(scene: Scene) -> None:
    heard = Heard()
    heard.exchange = scene.cluster.request(Call("GET", b"/a", body=b"query"), heard)
    scene.last.answer(200, "Cache-Control: max-age=60")
    assert heard.exchange is scene.last
    assert not len(scene.cache.memory)


@pytest.mark.parametrize("length", [0, 1, 262_144, 262_145, 900_000])
def test_bodies_of_any_length(length: int) -> None:
    scene = Scene(memory_bytes=1 << 24)
    body = bytes(range(256)) * (length // 256) + bytes(length % 256)
    scene.fetch("/a", "Cache-Control: max-age=60", body=body)
    assert scene.ask("/a").body == body


def test_who_wants_to_get_past_the_cache_gets_past_it(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", body=b"one")
    heard = Heard()
    heard.exchange = scene.cluster.request(Call("GET", b"/a", host=b"x", past_cache=True), heard)
    scene.last.answer(200, "Cache-Control: max-age=60", body=b"two")
    assert (heard.body, heard.get("cache-status")) == (b"two", None)
    assert scene.ask("/a").body == b"one"
    change = Heard()
    change.exchange = scene.cluster.request(Call("DELETE", b"/a", host=b"x", past_cache=True), change)
    scene.last.answer(204)
    scene.fetch("/a")


def test_what_is_too_large_is_passed_on_and_not_kept(scene: Scene) -> None:
    body = bytes(200_000)
    heard = scene.fetch("/a", "Cache-Control: max-age=60", body=body)
    assert heard.body == body
    assert heard.get("cache-status") == "skitaid; fwd=uri-miss; detail=size"
    scene.fetch("/a")


def test_what_turns_out_too_large_is_passed_on_and_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, "Cache-Control: max-age=60", length=None)
    for _ in range(20):
        scene.last.data(bytes(10_000))
    scene.last.finish()
    assert (len(heard.body), heard.is_ended) == (200_000, True)
    assert not len(scene.cache.memory)
    assert not scene.cache.fills
    assert scene.cache.filling_bytes == 0


def test_many_small_pieces_count_for_what_they_cost(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, "Cache-Control: max-age=60", length=None)
    for _ in range(4000):
        scene.last.data(b"x")
    scene.last.finish()
    assert len(heard.body) == 4000
    assert not len(scene.cache.memory)


def test_a_response_that_breaks_off_is_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, "Cache-Control: max-age=60", length=100)
    scene.last.data(b"half")
    scene.last.fail(Failure.TRUNCATED)
    assert heard.body == b"half"
    assert heard.failure is not None
    assert not heard.is_ended
    scene.fetch("/a")


def test_a_response_that_ends_with_its_connection_is_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a")
    ends = head(200, "Cache-Control: max-age=60", "Connection: close")
    ends.content_length = None
    scene.last.receiver.on_response(ends)
    scene.last.data(b"all?")
    scene.last.finish()
    assert heard.body == b"all?"
    assert heard.get("cache-status") == "skitaid; fwd=uri-miss; detail=no-length"
    scene.fetch("/a")


def test_interim_responses_and_trailers_pass(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.receiver.on_information(head(103))
    scene.last.begin(200, "Cache-Control: no-store", length=None)
    scene.last.data(b"a")
    scene.last.receiver.on_flush()
    scene.last.finish([(b"x-sum", b"1")])
    assert (heard.information, heard.flushes, heard.trailers) == ([103], 1, [(b"x-sum", b"1")])


def test_only_if_cached_5_2_1_7(scene: Scene) -> None:
    heard = scene.ask("/a", "Cache-Control: only-if-cached")
    assert (heard.status, heard.is_ended, scene.calls) == (504, True, [])
    scene.fetch("/a", "Cache-Control: max-age=60")
    assert scene.ask("/a", "Cache-Control: only-if-cached").status == 200
    scene.now += 61
    assert scene.ask("/a", "Cache-Control: only-if-cached").status == 504


def test_a_store_forgets_what_was_not_asked_for_longest() -> None:
    scene = Scene(memory_bytes=100_000)
    for name in "abcdefghijkl":
        scene.fetch(f"/{name}", "Cache-Control: max-age=60", body=bytes(9000))
        if name != "a":
            scene.ask("/a")
    count = len(scene.calls)
    assert scene.ask("/a").is_ended
    assert len(scene.calls) == count
    assert scene.cache.memory.kept_bytes <= 100_000
    scene.fetch("/b")


# ---------------------------------------------------------------- whose page it is


def test_a_page_for_one_cookie_is_not_shown_to_another(scene: Scene) -> None:
    scene.fetch("/me", "Cache-Control: max-age=60", asks=("Cookie: id=1",), body=b"one")
    scene.fetch("/me", "Cache-Control: max-age=60", asks=("Cookie: id=2",), body=b"two")
    assert scene.fetch("/me", "Cache-Control: max-age=60", body=b"nobody").body == b"nobody"
    # and the page of nobody is not for somebody
    assert scene.fetch("/me", asks=("Cookie: id=1",), body=b"one").body == b"one"


def test_a_page_that_varies_by_cookie_is_kept_for_each(scene: Scene) -> None:
    fields = ("Cache-Control: max-age=60", "Vary: Cookie")
    for cookie in ("id=1", "id=2"):
        scene.fetch("/me", *fields, asks=(f"Cookie: {cookie}",), body=cookie.encode())
    assert scene.ask("/me", "Cookie: id=1").body == b"id=1"
    assert scene.ask("/me", "Cookie: id=2").body == b"id=2"
    scene.fetch("/me", "Vary: Cookie", asks=("Cookie: id=3",))


def test_a_public_page_is_for_all(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: public, max-age=60", asks=("Cookie: id=1", "Authorization: Basic eDp5"))
    for fields in ((), ("Cookie: id=2",), ("Authorization: Bearer t",)):
        assert scene.ask("/a", *fields).body == b"hello"
    assert len(scene.calls) == 1


def test_a_public_page_is_kept_without_the_cookie_it_sets(scene: Scene) -> None:
    first = scene.fetch("/a", "Cache-Control: public, max-age=60", "Set-Cookie: id=1")
    assert first.get("set-cookie") == "id=1"
    assert scene.ask("/a").get("set-cookie") is None


def test_named_fields_are_not_kept_5_2_2_7(scene: Scene) -> None:
    first = scene.fetch("/a", 'Cache-Control: max-age=60, private="X-User"', "X-User: me", "X-Other: 1")
    assert first.get("x-user") == "me"
    hit = scene.ask("/a")
    assert (hit.get("x-user"), hit.get("x-other")) == (None, "1")


def test_variants_4_1(scene: Scene) -> None:
    vary = ("Cache-Control: max-age=60", "Vary: Accept-Encoding")
    scene.fetch("/a", *vary, "Content-Encoding: gzip", asks=("Accept-Encoding: gzip, br",), body=b"packed")
    plain = scene.fetch("/a", *vary, body=b"plain")
    assert plain.get("cache-status") == "skitaid; fwd=vary-miss; stored"
    assert scene.ask("/a", "Accept-Encoding: br;q=1.0, gzip;q=0.9").body == b"packed"
    assert scene.ask("/a").body == b"plain"
    assert len(scene.calls) == 2


def test_a_coded_body_is_for_who_can_read_it_whatever_its_server_says(scene: Scene) -> None:
    fields = ("Cache-Control: max-age=60", "Content-Encoding: gzip")
    scene.fetch("/a", *fields, asks=("Accept-Encoding: gzip",), body=b"packed")
    assert scene.ask("/a", "Accept-Encoding: gzip").body == b"packed"
    assert scene.fetch("/a", "Cache-Control: max-age=60", body=b"plain").body == b"plain"
    assert scene.ask("/a", "Accept-Encoding: br").body == b"plain"


# ---------------------------------------------------------------- conditions and ranges of clients


def test_a_client_that_has_it_is_told_so_4_3_2(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', "Last-Modified: " + http_date(START - 99))
    same = scene.ask("/a", 'If-None-Match: "0", "1"')
    assert (same.status, same.body, same.is_ended) == (304, b"", True)
    assert (same.get("etag"), same.get("age"), same.get("cache-control")) == ('"1"', "0", "max-age=60")
    assert scene.ask("/a", 'If-None-Match: "2"').status == 200
    assert scene.ask("/a", f"If-Modified-Since: {http_date(START)}").status == 304
    assert scene.ask("/a", f"If-Modified-Since: {http_date(START - 100)}").status == 200
    assert len(scene.calls) == 1


def test_conditions_that_nothing_is_stored_for_are_the_servers(scene: Scene) -> None:
    heard = scene.ask("/a", 'If-None-Match: "1"')
    assert scene.last.fields["if-none-match"] == '"1"'
    scene.last.answer(304, 'ETag: "1"', "Cache-Control: max-age=60")
    assert heard.status == 304
    assert not len(scene.cache.memory)


def test_preconditions_for_changes_are_the_servers(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"')
    scene.ask("/a", 'If-Match: "1"')
    assert scene.last.fields["if-match"] == '"1"'


@pytest.mark.parametrize(
    ("fields", "status", "body", "content_range"),
    [
        (("Range: bytes=1-3",), 206, b"123", "bytes 1-3/10"),
        (("Range: bytes=-2",), 206, b"89", "bytes 8-9/10"),
        (("Range: bytes=20-",), 416, b"", "bytes */10"),
        (("Range: bytes=0-1,4-5",), 200, b"0123456789", None),
        (("Range: lines=0-1",), 200, b"0123456789", None),
        (("Range: bytes=1-3", 'If-Range: "1"'), 206, b"123", "bytes 1-3/10"),
        (("Range: bytes=1-3", 'If-Range: "2"'), 200, b"0123456789", None),
        (("Range: bytes=1-3", 'If-None-Match: "1"'), 304, b"", None),
    ],
)
def test_ranges_of_what_is_stored(
    scene: Scene, fields: tuple[str, ...], status: int, body: bytes, content_range: str | None
) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"0123456789")
    heard = scene.ask("/a", *fields)
    assert (heard.status, heard.body, heard.get("content-range")) == (status, body, content_range)
    assert heard.is_ended
    assert len(scene.calls) == 1


def test_ranges_of_what_is_not_stored_are_passed_on(scene: Scene) -> None:
    heard = scene.ask("/a", "Range: bytes=0-1")
    assert scene.last.fields["range"] == "bytes=0-1"
    scene.last.answer(206, "Cache-Control: max-age=60", "Content-Range: bytes 0-1/9", body=b"01")
    assert (heard.status, heard.body) == (206, b"01")
    scene.fetch("/a")


# ---------------------------------------------------------------- validation


def test_a_response_that_came_from_a_cache_before_us_4_2_3(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', "Age: 20")
    scene.now += 5
    assert scene.ask("/a").get("age") == "25"
    scene.now += 40
    heard = scene.ask("/a")
    scene.last.answer(304, "Age: 50")
    assert heard.get("age") == "50"
    scene.now += 11
    scene.ask("/a")
    assert len(scene.calls) == 3


def test_a_stale_response_is_validated_4_3(scene: Scene) -> None:
    modified = http_date(START - 99)
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', f"Last-Modified: {modified}", "X-A: 1", body=b"one")
    scene.now += 61
    heard = scene.ask("/a", "Accept: text/plain")
    assert scene.last.fields == {"accept": "text/plain", "if-none-match": '"1"', "if-modified-since": modified}
    scene.last.answer(304, 'ETag: "1"', "Cache-Control: max-age=30", "X-A: 2")
    assert (heard.status, heard.body, heard.get("x-a"), heard.get("age")) == (200, b"one", "2", "0")
    assert heard.get("cache-status") == "skitaid; fwd=stale; fwd-status=304"
    scene.now += 29
    hit = scene.ask("/a")
    assert (hit.body, hit.get("x-a"), hit.get("cache-control")) == (b"one", "2", "max-age=30")
    assert len(scene.calls) == 2
    scene.now += 2
    scene.ask("/a")
    assert len(scene.calls) == 3


def test_a_new_response_takes_the_place_of_a_stale_one(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    scene.now += 61
    heard = scene.ask("/a")
    scene.last.answer(200, "Cache-Control: max-age=60", 'ETag: "2"', body=b"two")
    assert heard.body == b"two"
    assert heard.get("cache-status") == "skitaid; fwd=stale; fwd-status=200; stored"
    assert scene.ask("/a").body == b"two"


def test_the_clients_own_conditions_are_judged_after_validation(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    scene.now += 61
    heard = scene.ask("/a", 'If-None-Match: "1"', f"If-Modified-Since: {http_date(START)}")
    assert scene.last.fields == {"if-none-match": '"1"'}
    scene.last.answer(304)
    assert (heard.status, heard.body) == (304, b"")
    # an old tag, and a new response
    scene.now += 61
    heard = scene.ask("/a", 'If-None-Match: "2"')
    scene.last.answer(200, "Cache-Control: max-age=60", 'ETag: "2"', body=b"two")
    assert (heard.status, heard.body, heard.is_ended) == (304, b"", True)
    assert scene.ask("/a").body == b"two"


def test_a_304_about_another_response_is_not_believed_4_3_4(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    scene.now += 61
    heard = scene.ask("/a")
    scene.last.answer(304, 'ETag: "2"')
    assert heard.head is None
    assert "if-none-match" not in scene.last.fields
    scene.last.answer(200, "Cache-Control: max-age=60", 'ETag: "2"', body=b"two")
    assert heard.body == b"two"


def test_a_304_that_withdraws_the_permission_to_keep_it(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    scene.now += 61
    heard = scene.ask("/a")
    scene.last.answer(304, "Cache-Control: no-store")
    assert heard.body == b"one"
    assert not len(scene.cache.memory)


def test_a_304_that_sets_a_cookie_is_for_one_user_alone(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: no-cache", 'ETag: "1"', body=b"one")
    heard = scene.ask("/a")
    scene.last.answer(304, "Set-Cookie: id=1")
    assert heard.head is None
    assert "if-none-match" not in scene.last.fields
    scene.last.answer(200, "Cache-Control: no-cache", 'ETag: "1"', "Set-Cookie: id=1", body=b"one")
    assert (heard.body, heard.get("set-cookie")) == (b"one", "id=1")
    assert not len(scene.cache.memory)


def test_no_cache_is_validated_each_time_5_2_2_4(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: no-cache", 'ETag: "1"', body=b"one")
    for _ in range(2):
        heard = scene.ask("/a")
        assert scene.last.fields["if-none-match"] == '"1"'
        scene.last.answer(304)
        assert heard.body == b"one"
    assert len(scene.calls) == 3


def test_a_reload_is_validated_5_2_1_4(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    heard = scene.ask("/a", "Cache-Control: no-cache")
    assert scene.last.fields["if-none-match"] == '"1"'
    scene.last.answer(304)
    assert heard.get("cache-status") == "skitaid; fwd=request; fwd-status=304"


def test_an_error_while_validating_is_told(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", 'ETag: "1"', body=b"one")
    scene.now += 61
    heard = scene.ask("/a")
    scene.last.answer(503, body=b"sorry")
    assert (heard.status, heard.body) == (503, b"sorry")
    heard = scene.ask("/a")
    assert scene.last.fields["if-none-match"] == '"1"'
    scene.last.fail(Failure.UNREACHABLE)
    assert heard.failure is not None


# ---------------------------------------------------------------- RFC 5861


def test_stale_while_revalidate(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60, stale-while-revalidate=30", 'ETag: "1"', body=b"one")
    scene.now += 70
    heard = scene.ask("/a")
    assert (heard.body, heard.get("age"), heard.is_ended) == (b"one", "70", True)
    assert heard.get("cache-status") == "skitaid; hit; ttl=-10"
    assert len(scene.calls) == 2
    # one at a time
    assert scene.ask("/a").body == b"one"
    assert len(scene.calls) == 2
    scene.last.answer(200, "Cache-Control: max-age=60", body=b"two")
    hit = scene.ask("/a")
    assert (hit.body, hit.get("age")) == (b"two", "0")


def test_a_refresh_that_fails_is_tried_again_a_second_later(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60, stale-while-revalidate=30", body=b"one")
    scene.now += 70
    scene.ask("/a")
    scene.last.fail()
    assert scene.ask("/a").body == b"one"
    assert len(scene.calls) == 2
    scene.now += 1.1
    assert scene.ask("/a").body == b"one"
    assert len(scene.calls) == 3
    scene.last.answer(503)
    assert scene.ask("/a").body == b"one"


def test_the_conditions_of_a_client_do_not_get_into_a_refresh(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60, stale-while-revalidate=30", body=b"one")
    scene.now += 70
    scene.ask("/a", "Range: bytes=0-0", 'If-None-Match: "x"', "Accept: a/b")
    assert scene.last.fields == {"accept": "a/b"}
    scene.ask("/a", method="HEAD")
    assert len(scene.calls) == 2


@pytest.mark.parametrize("is_answered", [True, False])
def test_stale_if_error(scene: Scene, is_answered: bool) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60, stale-if-error=30", 'ETag: "1"', body=b"one")
    scene.now += 70
    heard = scene.ask("/a")
    asked = scene.last
    if is_answered:
        asked.begin(502, length=9)
        assert asked.is_cancelled
    else:
        asked.fail(Failure.UNREACHABLE)
    assert (heard.status, heard.body, heard.failure) == (200, b"one", None)
    assert "fwd=stale" in str(heard.get("cache-status"))
    scene.now += 21
    heard = scene.ask("/a")
    scene.last.fail(Failure.UNREACHABLE)
    assert heard.failure is not None


def test_stale_if_error_without_validators(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60, stale-if-error=30", body=b"one")
    scene.now += 70
    heard = scene.ask("/a", 'If-None-Match: "x"')
    assert scene.last.fields == {}
    scene.last.fail(Failure.READ_TIMEOUT)
    assert heard.body == b"one"


# ---------------------------------------------------------------- invalidation


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PURGE"])
def test_what_was_changed_is_fetched_anew_4_4(scene: Scene, method: str) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", body=b"one")
    heard = scene.ask("/a", method=method)
    scene.last.answer(204)
    assert heard.is_ended
    assert scene.fetch("/a", body=b"two").body == b"two"


def test_a_change_that_was_refused_changes_nothing(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", body=b"one")
    scene.ask("/a", method="POST")
    scene.last.answer(403)
    assert scene.ask("/a").body == b"one"


@pytest.mark.parametrize(
    ("location", "is_ours"),
    [
        ("/b", True),
        ("/b#part", True),
        ("http://x/b", True),
        ("https://X/b", True),
        ("//x/b", True),
        ("http://other.example/b", False),
        ("//other.example/b", False),
        ("b", False),
    ],
)
@pytest.mark.parametrize("name", ["Location", "Content-Location"])
def test_what_a_change_names_is_changed_too_4_4(scene: Scene, name: str, location: str, is_ours: bool) -> None:
    scene.fetch("/b", "Cache-Control: max-age=60", body=b"one")
    scene.ask("/a", method="POST")
    scene.last.answer(201, f"{name}: {location}")
    scene.ask("/b")
    assert len(scene.calls) == (3 if is_ours else 2)


def test_what_is_on_its_way_while_it_is_changed_is_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a")
    fetching = scene.last
    fetching.begin(200, "Cache-Control: max-age=60", length=3)
    scene.ask("/a", method="POST")
    scene.last.answer(200)
    later = scene.ask("/a")
    assert scene.last.call.method == "GET"
    assert scene.last is not fetching
    fetching.data(b"old")
    fetching.finish()
    assert heard.body == b"old"
    scene.last.answer(200, "Cache-Control: max-age=60", body=b"new")
    assert later.body == b"new"
    assert scene.ask("/a").body == b"new"


def test_what_was_asked_for_before_a_change_is_not_kept(scene: Scene) -> None:
    scene.ask("/a")
    fetching = scene.last
    scene.ask("/a", method="POST")
    scene.last.answer(200)
    fetching.answer(200, "Cache-Control: max-age=60", body=b"old")
    scene.fetch("/a")


# ---------------------------------------------------------------- the quick way


def fresh(scene: Scene, target: str, *fields: tuple[bytes, bytes]) -> bytes | None:
    stored = scene.cache.fresh(scene.cluster.key(b"x", target.encode()), asked_of("GET", fields), scene.now)
    return None if stored is None else stored.body


def test_the_quick_way_gives_what_the_other_would(scene: Scene) -> None:
    assert fresh(scene, "/a") is None
    scene.fetch("/a", "Cache-Control: max-age=60", "Vary: Accept", asks=("Accept: a/b",))
    assert fresh(scene, "/a") is None
    assert fresh(scene, "/a", (b"accept", b"A/b")) == b"hello"
    assert fresh(scene, "/a", (b"accept", b"a/b"), (b"cookie", b"id=1")) is None
    scene.now += 60
    assert fresh(scene, "/a", (b"accept", b"a/b")) is None


def test_the_quick_way_is_closed_to_what_must_be_validated(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: no-cache, max-age=60", 'ETag: "1"')
    assert fresh(scene, "/a") is None


def test_the_quick_way_is_closed_to_what_depends_on_the_proxy(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60", "Vary: X-Forwarded-Proto", asks=("X-Forwarded-Proto: https",))
    assert fresh(scene, "/a", (b"x-forwarded-proto", b"https")) is None
    assert scene.ask("/a", "X-Forwarded-Proto: https").body == b"hello"
    assert len(scene.calls) == 1


def test_the_quick_way_knows_of_changes(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60")
    scene.cache.generations.renew(scene.cluster.key(b"x", b"/a"))
    assert fresh(scene, "/a") is None
    scene.fetch("/a", "Cache-Control: max-age=60")
    assert fresh(scene, "/a") == b"hello"


def test_the_quick_way_after_the_clock_was_set_back(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: max-age=60")
    scene.now -= 3600
    assert fresh(scene, "/a") is None


# ---------------------------------------------------------------- the cluster refuses


def test_who_asks_is_told_what_the_cluster_raises(scene: Scene) -> None:
    def refuse(call: Call, receiver: object) -> object:
        raise UpstreamError(Failure.SATURATED)

    scene.request = refuse  # type: ignore[assignment,method-assign]
    with pytest.raises(UpstreamError):
        scene.ask("/a")
    assert not scene.cache.fills
