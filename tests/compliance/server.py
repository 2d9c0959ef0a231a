"""The server under test: an engine with one app at the root and a folder of files, as a process of its own.

`python -m tests.compliance.server --threads 4 --folder DIR` prints its port and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.engine.timeouts import Timeouts
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import HostTable, Route, RouteKind, Router
from skitaid.handlers.site import Site
from skitaid.handlers.static.folder import StaticFolder, StaticSettings
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings

MAX_BODY_BYTES: Final = 2_000_000
LARGE: Final = b"0123456789abcdef" * 65536

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
TEXT: Final = [("Content-Type", "text/plain")]

_SEEN: Final = (
    "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "CONTENT_LENGTH", "CONTENT_TYPE",
)  # fmt: skip
# The server's, and others in each request.
_OURS: Final = ("HTTP_X_GTXN_ID", "HTTP_X_LTXN_ID")

_run: set[str] = set()
_engines: list[Engine] = []


def app(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Chooses by the first segment of the path; whatever is not named below is echoed."""
    path = environ["PATH_INFO"]
    _run.add(path)
    return _PAGES.get(path.split("/")[1], echo)(environ, start_response)


def echo(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """The request as the app saw it, as JSON."""
    body = environ["wsgi.input"].read()
    seen = {name: value for name, value in environ.items() if name in _SEEN or name.startswith("HTTP_")}
    for name in _OURS:
        seen.pop(name, None)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen | {"body": body.decode("latin-1")}).encode()]


def was_run(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Whether the app was ever asked for the path in the query."""
    start_response("200 OK", TEXT)
    return [b"yes" if environ["QUERY_STRING"] in _run else b"no"]


def connections(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """How many connections the engine holds, with that of the question."""
    start_response("200 OK", TEXT)
    return [str(_engines[0].connection_count).encode()]


def blind(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Answers without a look at the request's body."""
    start_response("200 OK", TEXT)
    return [b"unread"]


def slow(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Takes so many milliseconds as the query says."""
    time.sleep(int(environ["QUERY_STRING"]) / 1000)
    return echo(environ, start_response)


def pieces(environ: Environ, start_response: StartResponse) -> Iterator[Any]:
    """A body in pieces, of no length that is known before."""
    start_response("200 OK", TEXT)
    yield from (b"hello", b"", b" ", b"world")


def large(environ: Environ, start_response: StartResponse) -> Iterator[Any]:
    """A megabyte in pieces."""
    start_response("200 OK", TEXT)
    for at in range(0, len(LARGE), 65536):
        yield LARGE[at : at + 65536]


def length(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Promises the length in the query and gives five bytes, in two pieces."""
    start_response("200 OK", [*TEXT, ("Content-Length", environ["QUERY_STRING"])])
    return [b"he", b"llo"]


def status(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """The status in the query, with a body whether it may have one or not."""
    start_response(environ["QUERY_STRING"].replace("%20", " "), TEXT)
    return [b"hello"]


def head_only(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Gives no body to HEAD, as frameworks do."""
    start_response("200 OK", TEXT)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"hello"]


_SPLITS: Final[dict[str, tuple[str, list[tuple[str, str]]]]] = {
    "value-crlf": ("200 OK", [("X", "a\r\nSet-Cookie: stolen=1")]),
    "value-lf": ("200 OK", [("X", "a\nSet-Cookie: stolen=1")]),
    "value-cr": ("200 OK", [("X", "a\rSet-Cookie: stolen=1")]),
    "value-nul": ("200 OK", [("X", "stolen\0")]),
    "value-body": ("200 OK", [("X", "a\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nX: stolen")]),
    "name": ("200 OK", [("X: a\r\nSet-Cookie", "stolen=1")]),
    "status": ("200 OK\r\nSet-Cookie: stolen=1", []),
    "length": ("200 OK", [("Content-Length", "5\r\nSet-Cookie: stolen=1")]),
    "connection": ("200 OK", [("Connection", "close\r\nSet-Cookie: stolen=1")]),
    "interim": ("101 stolen", []),
}


def split(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Tries to write lines that are not its own, in one piece or (path /split/many) in several."""
    line, fields = _SPLITS[environ["QUERY_STRING"]]
    start_response(line, fields)
    return [b"stolen"] if environ["PATH_INFO"] == "/split" else [b"sto", b"len", b""]


def fails(environ: Environ, start_response: StartResponse) -> Iterator[Any]:
    """Fails before anything, or (query "late") after the first piece."""
    start_response("200 OK", TEXT)
    if environ["QUERY_STRING"] == "late":
        yield b"hello"
    raise RuntimeError("on purpose")


_PAGES: Final = {
    "was-run": was_run, "connections": connections, "blind": blind, "slow": slow, "pieces": pieces, "large": large,
    "length": length, "status": status, "head-only": head_only, "split": split, "fails": fails,
}  # fmt: skip


def _report(stream: Stream, error: BaseException) -> None:
    """Without the word Traceback, which the tests look for: an app may fail, the engine may not."""
    sys.stderr.write(f"app failed at {stream.path}: {error!r}\n")


def _build(threads: int, timeouts: Timeouts, folder: str) -> Engine:
    site = Site(Router([]))
    engine = Engine(EngineSettings(threads=threads, timeouts=timeouts), site)
    site.engine = engine
    _engines.append(engine)
    errors = open(sys.stderr.fileno(), "w", buffering=1, closefd=False)  # noqa: SIM115 - as long as the process
    settings = WsgiSettings(errors, _report, is_multithread=threads > 0, bodies=BodyRules.of(MAX_BODY_BYTES))
    routes = [
        Route("", RouteKind.APP, WsgiApp(engine, app, settings)),
        Route("/static", RouteKind.STATIC, StaticFolder(engine, folder, StaticSettings())),
    ]
    site.router = Router([HostTable((), routes)])
    return engine


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--folder", default=os.curdir)
    parser.add_argument("--timeouts", type=float, nargs=4, default=[60.0, 60.0, 60.0, 5.0])
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engine = _build(options.threads, Timeouts(*options.timeouts), options.folder)
    sock = socket.create_server(("127.0.0.1", 0), backlog=256)
    sock.setblocking(False)
    engine.listen(sock)
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    # Whoever started this holds the other end: no server outlives its tests.
    engine.loop.add_reader(sys.stdin.fileno(), engine.loop.stop)
    engine.loop.run_forever()
    engine.drain()
    engine.close(1.0)


if __name__ == "__main__":
    main()
