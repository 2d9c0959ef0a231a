"""What is measured: the cases, and the figures that skitaid holds or aims at. Data alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from benchmarks.load import Load

__all__ = ["CASES", "TARGETS", "Case", "Quantity", "Target"]


@dataclass(frozen=True, slots=True)
class Case:
    """`loads`: the first is measured, the others run beside it."""

    key: str
    title: str
    servers: tuple[str, ...]
    loads: tuple[Load, ...]


class Quantity(Enum):
    """What a target compares. RPS: more is better, the ratio is ours by theirs. COST: processor time of the server
    per request, the ratio is theirs by ours. GROWTH: our cost by our other cost. P99: milliseconds, no ratio. ADDED:
    the milliseconds that our median has more than theirs."""

    RPS = "requests/s"
    COST = "by server CPU"
    GROWTH = "cost grows by"
    P99 = "p99 in ms"
    ADDED = "p50 in ms beyond it"

    @property
    def is_limit(self) -> bool:
        """Whether less is better."""
        return self in (Quantity.GROWTH, Quantity.P99, Quantity.ADDED)


@dataclass(frozen=True, slots=True)
class Target:
    """`case` and `server` against `other` (of the case `other_case`, when it is another). `bound` is held; `goal` is
    aimed at. Either may be None."""

    case: str
    server: str
    other: str = ""
    bound: float | None = None
    goal: float | None = None
    quantity: Quantity = Quantity.RPS
    other_case: str = ""


_LOGGED = ("skitaid+log", "granian+log")
_UNLOGGED = ("skitaid", "granian")
_FOUR = _LOGGED + _UNLOGGED

CASES = (
    Case("hello", "hello WSGI",
         (*_FOUR, "bjoern", "gunicorn+log", "gunicorn", "waitress", "a2wsgi"), (Load(),)),
    Case("cookie", "hello, every request with another cookie", (*_FOUR, "bjoern"), (Load(script="cookie.lua"),)),
    Case("browser-cookie", "hello, 15 header fields, every request with another cookie", _FOUR,
         (Load(script="browser_cookie.lua"),)),
    Case("browser", "hello, 15 header fields", _FOUR, (Load(script="browser.lua"),)),
    Case("json", "10 KB of JSON", _FOUR, (Load("/json"),)),
    Case("post", "64 KB POST", _FOUR, (Load("/post", script="post.lua"),)),
    Case("sleepers", "hello, while four connections sleep 50 ms per request (8 threads)",
         ("skitaid/8+log", "granian/8+log", "skitaid/8", "granian/8", "gunicorn/8"), (Load(), Load("/sleep", 4))),
    Case("burners", "hello, while two connections compute 20 ms per request (8 threads)",
         ("skitaid/8", "granian/8", "gunicorn/8"), (Load(), Load("/burn", 2))),
    Case("asgi", "hello ASGI", ("skitaid/asgi", "granian/asgi", "uvicorn"), (Load(),)),
    Case("static-1k", "static file of 1 KB", ("skitaid", "nginx"), (Load("/static/1k.txt", 32),)),
    Case("static-1m", "static file of 1 MB", ("skitaid", "nginx"), (Load("/static/1m.bin", 32),)),
    Case("https", "hello WSGI by TLS", ("skitaid/tls", "granian/tls", "nginx/tls"), (Load("/", 32, scheme="https"),)),
    Case("handshakes", "hello by TLS, each with a handshake", ("skitaid/tls", "granian/tls", "nginx/tls"),
         (Load("/", 32, scheme="https", is_kept=False),)),
    Case("h2", "hello WSGI by HTTP/2, no TLS, 10 streams in each of 32 connections",
         ("skitaid+log", "skitaid", "granian/h2"), (Load("/", 32, streams=10),)),
    Case("h2-static-1k", "static file of 1 KB by HTTP/2, no TLS, 32 times 10 streams", ("skitaid", "nginx/h2"),
         (Load("/static/1k.txt", 32, streams=10),)),
    Case("h2-100m", "static file of 100 MB by HTTP/2, no TLS, one stream", ("skitaid", "nginx/h2"),
         (Load("/static/100m.bin", 1, streams=1, count=6),)),
    Case("mounts", "1,000 paths, one mount or 1,000", ("skitaid", "skitaid/mounts"), (Load("/", script="mounts.lua"),)),
    Case("proxy", "small GET through a proxy; its backend is on the core of the load",
         ("skitaid/proxy+log", "skitaid/proxy", "nginx/proxy", "aiohttp/proxy", "fastapi/proxy"), (Load(),)),
    Case("proxy-browser", "the same, 15 header fields", ("skitaid/proxy", "nginx/proxy"),
         (Load(script="browser.lua"),)),
    Case("proxy-10k", "10 KB through a proxy", ("skitaid/proxy", "nginx/proxy"), (Load("/static/10k.bin"),)),
    Case("proxy-100m", "100 MB through a proxy", ("skitaid/proxy", "nginx/proxy"),
         (Load("/static/100m.bin", 1, least_s=3),)),
    Case("proxy-alone", "one small GET at a time through a proxy", ("backend", "skitaid/proxy", "nginx/proxy"),
         (Load("/", 1),)),
    Case("connections", "hello, 4,096 connections", ("skitaid", "granian"), (Load("/", 4096, least_s=2),)),
    Case("atila", "hello by Atila and by Flask", ("skitaid", "skitaid/atila", "skitaid/flask", "gunicorn/flask"),
         (Load(),)),
    Case("atila-json", "1 KB of JSON there and back", ("skitaid/atila", "skitaid/flask", "gunicorn/flask"),
         (Load("/echo", script="echo.lua"),)),
    Case("atila-routes", "an app of Atila with ten routes or 10,000", ("skitaid/atila", "skitaid/atila-many"),
         (Load("/", script="routes.lua"),)),
)  # fmt: skip

TARGETS = (
    Target("hello", "skitaid+log", "gunicorn+log", 8.0, 10.0),
    Target("hello", "skitaid+log", "gunicorn", 8.0),
    Target("hello", "skitaid+log", "granian+log", 1.8, 2.2),
    Target("hello", "skitaid+log", "granian", 0.7, 0.9),
    Target("hello", "skitaid", "granian", goal=1.0),
    Target("hello", "skitaid", "bjoern", goal=0.65),
    Target("hello", "skitaid+log", goal=3.0, quantity=Quantity.P99),
    Target("cookie", "skitaid+log", "granian+log", goal=0.9),
    Target("cookie", "skitaid", "granian", goal=0.9),
    Target("browser-cookie", "skitaid+log", "granian+log"),
    Target("browser-cookie", "skitaid", "granian"),
    Target("browser", "skitaid+log", "granian+log", goal=1.2),
    Target("browser", "skitaid", "granian", goal=1.2),
    Target("json", "skitaid+log", "granian+log", goal=1.2),
    Target("json", "skitaid", "granian", goal=1.2),
    Target("post", "skitaid+log", "granian+log", goal=1.0),
    Target("post", "skitaid", "granian", goal=1.0),
    Target("sleepers", "skitaid/8+log", "granian/8", 0.9),
    Target("sleepers", "skitaid/8+log", "granian/8+log", goal=1.3),
    Target("sleepers", "skitaid/8", "granian/8", goal=1.3),
    Target("burners", "skitaid/8", "granian/8", goal=1.3),
    Target("asgi", "skitaid/asgi", "granian/asgi", goal=1.25),
    Target("asgi", "skitaid/asgi", "uvicorn", goal=1.6),
    Target("static-1k", "skitaid", "nginx", goal=1.0),
    Target("static-1m", "skitaid", "nginx", goal=0.8, quantity=Quantity.COST),
    Target("proxy", "skitaid/proxy", "nginx/proxy", goal=0.65),
    Target("proxy", "skitaid/proxy", "nginx/proxy", goal=0.5, quantity=Quantity.COST),
    Target("proxy", "skitaid/proxy", "aiohttp/proxy", goal=4.0),
    Target("proxy", "skitaid/proxy", "fastapi/proxy", goal=4.0),
    Target("proxy-100m", "skitaid/proxy", "nginx/proxy", goal=0.5),
    Target("proxy-alone", "skitaid/proxy", "backend", goal=0.3, quantity=Quantity.ADDED),
    Target("https", "skitaid/tls", "granian/tls", goal=1.0),
    Target("handshakes", "skitaid/tls", "nginx/tls", bound=0.6, quantity=Quantity.COST),
    Target("h2", "skitaid", "granian/h2", goal=1.0),
    Target("h2-static-1k", "skitaid", "nginx/h2", goal=1.3),
    Target("h2-100m", "skitaid", "nginx/h2", goal=0.5),
    Target("mounts", "skitaid/mounts", "skitaid", goal=1.1, quantity=Quantity.GROWTH),
    Target("connections", "skitaid", "skitaid", goal=1.3, quantity=Quantity.GROWTH, other_case="hello"),
    Target("atila", "skitaid/atila", "skitaid", 0.5),
    Target("atila", "skitaid/atila", "skitaid/flask", 2.0),
    Target("atila", "skitaid/atila", "gunicorn/flask", 8.0),
    Target("atila-json", "skitaid/atila", "skitaid/flask", 2.0),
    Target("atila-routes", "skitaid/atila-many", "skitaid/atila", 1.2, quantity=Quantity.GROWTH),
)
