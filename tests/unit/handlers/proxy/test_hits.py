"""A proxy with a response cache: the quick way must say what the other says."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

import pytest

from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.proxy.hits import MAX_BYTES, ProxyHits
from skitaid.handlers.proxy.reverse import ProxySettings, ReverseProxy
from skitaid.handlers.router import Route, RouteKind
from skitaid.protocols.dates import http_date
from skitaid.upstream.cache.asked import asked_of
from skitaid.upstream.cache.cache import CacheSettings, ResponseCache
from skitaid.upstream.cache.cluster import CachedCluster
from tests.unit.engine.rig import Client, Reply, request_bytes
from tests.unit.handlers.proxy.rig import MakeProxyRig, ProxyRig

NOW = 1_700_000_000.0
KEPT = "Cache-Control: public, max-age=60"


@dataclass
class Cached:
    """A proxy over a cache over a member that the test plays."""

    rig: ProxyRig
    now: float = NOW

    def __post_init__(self) -> None:
        self.rig.engine.tick()
        self.cache = ResponseCache(CacheSettings(8 << 20), self.rig.engine.portal.call, wall=lambda: self.now)
        self.cluster = CachedCluster(self.rig, self.cache, b"@back")
        self.client = self.rig.client()

    def mount(self, path: str = "", *, is_quick: bool = True, **settings: Any) -> ReverseProxy:
        given = ProxySettings(path or "/", "back", **settings)
        handler = ReverseProxy(self.rig.engine, path, self.cluster, given, write=self.rig.told.append)
        if is_quick:
            handler.hits = ProxyHits(handler, self.cluster)
        self.rig.mount(Route(path, RouteKind.PROXY, handler))
        return handler

    def fill(self, path: str, *fields: str, body: bytes = b"hello", asks: tuple[str, ...] = ()) -> Reply:
        self.client.send(request_bytes(path, *asks))
        self.rig.next_asked(len(self.rig.asked) + 1).respond(body, *fields)
        return self.client.reply()

    def get(self, path: str, *fields: str, method: str = "GET", client: Client | None = None) -> Reply:
        """A request that needs no member."""
        count = len(self.rig.asked)
        reply = (client or self.client).get(path, *fields, method=method)
        assert len(self.rig.asked) == count, "a member was asked"
        return reply

    def misses(self, path: str, *fields: str) -> None:
        client = self.rig.client()
        client.send(request_bytes(path, *fields))
        self.rig.next_asked(len(self.rig.asked) + 1).respond(b"new", "Cache-Control: no-store")
        assert client.reply().body == b"new"


@pytest.fixture
def cached(make_proxy_rig: MakeProxyRig) -> Cached:
    return Cached(make_proxy_rig())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "asks",
    [
        (),
        ("Cookie: id=1",),
        ("Connection: close",),
        ('If-None-Match: "1"',),
        ('If-None-Match: "2"',),
        ("Range: bytes=1-2",),
        ("Accept-Encoding: gzip",),
    ],
)
def test_the_quick_way_and_the_other_say_the_same(
    make_proxy_rig: MakeProxyRig, method: str, asks: tuple[str, ...]
) -> None:
    replies = []
    for is_quick in (True, False):
        cached = Cached(make_proxy_rig())
        cached.mount(is_quick=is_quick)
        fields = (KEPT, 'ETag: "1"', "Content-Type: text/plain", "X-A: 1", "X-A: 2", f"Date: {http_date(NOW - 3)}")
        cached.fill("/a", *fields, body=b"hello" * 400)
        cached.now += 5
        reply = cached.get("/a", *asks, method=method)
        told = {(name.lower(), value) for name, value in reply.fields}
        status = next(value for name, value in told if name == "cache-status")
        assert status.startswith("skitaid; hit")
        replies.append((reply.code, told - {("cache-status", status)}, reply.body))
    assert replies[0] == replies[1]
    assert ("age", "8") in replies[0][1]


def test_age_goes_on_while_the_rest_stays(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", KEPT)
    ages = []
    for _ in range(3):
        reply = cached.get("/a")
        ages.append(reply.get("Age"))
        assert (reply.body, reply.get("Cache-Status"), reply.get("Via")) == (b"hello", "skitaid; hit", "1.1 skitaid")
        assert reply.get("Date") == http_date(NOW)
        cached.now += 7
    assert ages == ["0", "7", "14"]
    cached.now += 60
    cached.misses("/a")


def test_a_page_for_nobody_in_particular_is_not_for_a_cookie(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", "Cache-Control: max-age=60")
    assert cached.get("/a").body == b"hello"
    cached.misses("/a", "Cookie: id=1")
    cached.misses("/a", "Authorization: Bearer t")


def test_a_page_that_varies_by_cookie_is_found_the_other_way(cached: Cached) -> None:
    cached.mount()
    fields = (KEPT, "Vary: Cookie")
    cached.fill("/a", *fields, body=b"nobody")
    cached.fill("/a", *fields, body=b"one", asks=("Cookie: id=1",))
    assert cached.get("/a").body == b"nobody"
    for _ in range(3):
        assert cached.get("/a", "Cookie: id=1").body == b"one"
    cached.misses("/a", "Cookie: id=2")


def test_two_mounts_of_one_alias_each_say_their_own(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig())
    for path in ("/a", "/b"):
        cached.mount(path, remap="/x", origins=(b"http://back",))
    cached.fill("/a/page", KEPT, "Location: http://back/x/other")
    for _ in range(2):
        assert cached.get("/a/page").get("Location") == "/a/other"
        assert cached.get("/b/page").get("Location") == "/b/other"


def test_who_may_not_ask_gets_nothing_from_the_cache_either(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig())
    cached.mount("/open")
    cached.mount("/closed", source=("10.0.0.0/8",))
    cached.fill("/open/a", KEPT)
    assert cached.get("/open/a").code == 200
    assert cached.get("/closed/a").code == 403


def test_what_is_compressed_is_compressed_once(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig())
    cached.mount(bodies=BodyRules(may_code=True))
    body = b"hello, world\n" * 500
    cached.fill("/a", KEPT, "Content-Type: text/plain", 'ETag: "1"', body=body)
    before = cached.cache.memory.kept_bytes
    for _ in range(3):
        reply = cached.get("/a", "Accept-Encoding: gzip")
        assert (reply.get("Content-Encoding"), reply.get("ETag")) == ("gzip", 'W/"1"')
        assert gzip.decompress(reply.body) == body
        assert reply.get("Vary") == "Accept-Encoding"
    after = cached.cache.memory.kept_bytes
    assert before < after < before + len(body)
    plain = cached.get("/a")
    assert (plain.body, plain.get("Content-Encoding"), plain.get("Vary")) == (body, None, "Accept-Encoding")


def test_many_ways_to_say_what_is_accepted_take_no_memory(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig())
    cached.mount(bodies=BodyRules(may_code=True))
    cached.fill("/a", KEPT, "Content-Type: text/plain", body=b"hello, world\n" * 500)
    for number in range(40):
        assert cached.get("/a", f"Accept-Encoding: gzip, x{number}").get("Content-Encoding") == "gzip"
    (stored,) = cached.cache.memory.get(cached.cluster.key(b"localhost", b"/a", b"http")) or ()
    assert len(stored.prepared) <= 16


@pytest.mark.parametrize("length", [0, MAX_BYTES, MAX_BYTES + 1, 900_000])
def test_bodies_of_any_length(cached: Cached, length: int) -> None:
    cached.mount()
    body = (b"0123456789" * (length // 10 + 1))[:length]
    cached.fill("/a", KEPT, body=body)
    for _ in range(2):
        reply = cached.get("/a")
        assert (reply.code, reply.body, reply.get("Content-Length")) == (200, body, str(length))


def test_a_response_without_content(cached: Cached) -> None:
    cached.mount()
    cached.client.send(request_bytes("/a"))
    cached.rig.next_asked(1).respond(b"", KEPT, status="404 Not Found")
    assert cached.client.reply().code == 404
    reply = cached.get("/a")
    assert (reply.code, reply.body, reply.get("Content-Length")) == (404, b"", "0")


def test_one_response_after_the_other_on_one_connection(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", KEPT, body=b"one")
    cached.fill("/b", KEPT, body=b"two")
    client = cached.rig.client()
    client.send(b"".join(request_bytes(path) for path in ("/a", "/b", "/a")))
    assert [client.reply().body for _ in range(3)] == [b"one", b"two", b"one"]


def test_a_change_is_seen_at_once(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", KEPT)
    cached.client.send(request_bytes("/a", method="POST", body=b"x"))
    cached.rig.next_asked(2).respond(b"done")
    cached.client.reply()
    cached.misses("/a")


def test_what_a_trusted_proxy_says_is_part_of_the_request(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig(trusted=("192.0.2.7",)))
    cached.mount()
    cached.fill("/a", KEPT, "Vary: X-Forwarded-Proto", body=b"tls", asks=("X-Forwarded-Proto: https",))
    assert cached.get("/a", "X-Forwarded-Proto: https").body == b"tls"
    cached.misses("/a")


def test_a_redirect_from_one_scheme_to_the_other_is_for_the_one_alone(make_proxy_rig: MakeProxyRig) -> None:
    cached = Cached(make_proxy_rig(trusted=("192.0.2.7",)))
    cached.mount()
    to_tls, by_tls = (), ("X-Forwarded-Proto: https",)
    cached.client.send(request_bytes("/a", *to_tls))
    cached.rig.next_asked(1).respond(b"go", KEPT, "Location: https://localhost/a", status="301 Moved Permanently")
    assert cached.client.reply().code == 301
    cached.fill("/a", KEPT, body=b"page", asks=by_tls)
    for _ in range(3):
        assert cached.get("/a", *to_tls).code == 301
        assert cached.get("/a", *by_tls).body == b"page"
    cached.client.send(request_bytes("/a", method="POST", body=b"x"))
    cached.rig.next_asked(3).respond(b"done")
    cached.client.reply()
    cached.misses("/a", *to_tls)
    cached.misses("/a", *by_tls)


def test_what_somebody_makes_up_is_no_part_of_the_request(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", KEPT, "Vary: X-Forwarded-Proto", body=b"plain", asks=("X-Forwarded-Proto: https",))
    assert cached.get("/a").body == b"plain"
    assert cached.get("/a", "X-Forwarded-Proto: https").body == b"plain"


def test_what_is_not_kept_takes_the_short_way_past_the_cache(cached: Cached) -> None:
    cached.mount()
    for number in range(3):
        cached.client.send(request_bytes("/a"))
        asked = cached.rig.next_asked(number + 1)
        assert asked.call.past_cache is (number > 0)
        asked.respond(b"new", "Cache-Control: no-store")
        cached.client.reply()
    # it may be kept by now
    cached.now += 11
    cached.fill("/a", KEPT)
    assert cached.get("/a").body == b"hello"


def test_what_may_answer_an_error_is_not_forgotten_for_it(cached: Cached) -> None:
    cached.mount()
    cached.fill("/a", "Cache-Control: public, max-age=60, stale-if-error=600")
    cached.cache.pass_on(cached.cluster.key(b"localhost", b"/a", b"http"), asked_of("GET", ()))
    cached.now += 61
    cached.client.send(request_bytes("/a"))
    asked = cached.rig.next_asked(2)
    assert not asked.call.past_cache
    asked.respond(b"", status="503 Service Unavailable")
    assert cached.client.reply().body == b"hello"
