"""WSGI apps as PEP 3333 has them, and the liberties that apps of the older releases take. The engine has no threads
here: apps run in the test's own."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from skitaid.handlers.wsgi.file_wrapper import FileWrapper
from tests.unit.engine.rig import Client, MakeRig, Reply, Rig, hello, request_bytes

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[Any], None]]
TEXT = [("Content-Type", "text/plain")]


def serve(rig: Rig, app: Callable[[Environ, StartResponse], Any], *, method: str = "GET") -> Reply:
    rig.app(app)
    return rig.client().get("/", method=method)


def returning(result: Any, *fields: tuple[str, str], status: str = "200 OK") -> Callable[..., Any]:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(status, [*TEXT, *fields])
        return result() if callable(result) else result

    return app


class Closing:
    """An iterable whose `close` is counted."""

    def __init__(self, pieces: Iterable[Any], error: BaseException | None = None) -> None:
        self._pieces = iter(pieces)
        self._error = error
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._pieces)
        except StopIteration:
            if self._error is not None:
                raise self._error from None
            raise

    def close(self) -> None:
        self.closed += 1


# ---------------------------------------------------------------- what an app gives


@pytest.mark.parametrize(
    ("result", "body", "length"),
    [
        ([b"hello"], b"hello", "5"),
        ((b"hello",), b"hello", "5"),
        ([], b"", "0"),
        ([b""], b"", "0"),
        (["grün"], "grün".encode(), "5"),
        ("grün", "grün".encode(), "5"),
        (b"hello", b"hello", "5"),
        ("", b"", "0"),
        ([bytearray(b"hello")], b"hello", "5"),
        ([memoryview(b"hello")], b"hello", "5"),
        ([b"hel", b"lo"], b"hello", None),
        (["grü", b"n"], "grün".encode(), None),
        (lambda: iter(["grü", "n"]), "grün".encode(), None),
        (lambda: (piece for piece in (b"", b"hel", b"", b"lo", b"")), b"hello", None),
        (lambda: iter(()), b"", "0"),
        (lambda: iter((b"",)), b"", "0"),
        ({b"key": 1}, b"key", None),
    ],
)
def test_a_body(rig: Rig, result: Any, body: bytes, length: str | None) -> None:
    reply = serve(rig, returning(result))
    assert (reply.code, reply.body, reply.get("content-length")) == (200, body, length)
    assert reply.get("transfer-encoding") == (None if length is not None else "chunked")
    assert rig.failures == []


def test_http_1_0_has_no_chunks(rig: Rig) -> None:
    rig.app(returning([b"hel", b"lo"]))
    client = rig.client()
    reply = client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (reply.body, reply.get("transfer-encoding"), reply.get("connection")) == (b"hello", None, "close")


def test_the_head_waits_for_the_first_piece(rig: Rig) -> None:
    """Until then an app may still change its mind (PEP 3333, "The start_response() Callable")."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b""
        try:
            raise KeyError("late")
        except KeyError:
            start_response("503 Later", TEXT, sys.exc_info())
        yield b"sorry"

    reply = serve(rig, app)
    assert (reply.code, reply.body) == (503, b"sorry")


def test_start_response_may_be_called_by_the_first_piece(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("201 Created", TEXT)
        yield b"made"

    assert serve(rig, app).code == 201


def test_pieces_are_sent_as_they_come(make_rig: MakeRig) -> None:
    """A piece is not kept for the next: what an app yields is on its way before it goes on (PEP 3333, "Buffering and
    Streaming")."""
    rig = make_rig()
    seen: list[bytes] = []
    clients: list[Client] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for number in range(3):
            yield b"piece %d" % number
            seen.append(clients[0].take())

    rig.app(app)
    clients.append(rig.client())
    clients[0].get("/")
    assert [b"piece %d" % number in each for number, each in enumerate(seen)] == [True] * 3


def test_an_app_on_the_loop_lets_others_have_their_turn(rig: Rig) -> None:
    """Also one whose client takes everything at once, so that nothing else would stop it."""
    made = [0]

    def endless(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        while True:
            made[0] += 1
            yield b"x" * 65536

    rig.app(endless, "/endless")
    rig.app(hello)
    greedy, other = rig.client(), rig.client()
    greedy.connection._send = len
    greedy.send(request_bytes("/endless"))
    assert other.get("/").body == b"hello"
    before = made[0]
    assert other.get("/").body == b"hello"
    # It goes on all the same.
    rig.until(lambda: made[0] > before)
    greedy.close()
    rig.until(lambda: greedy.is_closed)


# ---------------------------------------------------------------- environ


def test_every_environ_is_its_requests_own_also_when_heads_are_alike(rig: Rig) -> None:
    met: list[Environ] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        met.append(dict(environ))
        environ["HTTP_COOKIE"] = environ["mine"] = "set by the app"
        environ.pop("PATH_INFO")
        start_response("200 OK", TEXT)
        return [environ.get("HTTP_X", "").encode()]

    rig.app(app)
    for number in range(5):
        rig.client().get("/own", "X: same")
        rig.client().get("/own", "X: same", f"Cookie: n={number}")
    plain, baked = met[::2], met[1::2]
    assert ["HTTP_COOKIE" in environ for environ in plain] == [False] * 5
    assert [environ["HTTP_COOKIE"] for environ in baked] == [f"n={number}" for number in range(5)]
    for environ in met:
        assert "mine" not in environ
        assert (environ["PATH_INFO"], environ["HTTP_X"], environ["REMOTE_ADDR"]) == ("/own", "same", "192.0.2.7")
    assert len({environ["HTTP_X_GTXN_ID"] for environ in met}) == 10


def test_one_head_means_something_else_at_another_mount(rig: Rig) -> None:
    met: list[tuple[str, str, str]] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        met.append((environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]))
        start_response("200 OK", TEXT)
        return [b"x"]

    for mount in ("/a", "/a/b"):
        rig.app(app, mount)
        for _ in range(3):
            rig.client().get("/a/b?c")
    assert met == [("/a", "/b", "c")] * 3 + [("/a/b", "", "c")] * 3


# ---------------------------------------------------------------- write()


@pytest.mark.parametrize("result", [[], [b"-end"], lambda: iter([b"-end"])])
def test_write(rig: Rig, result: Any) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        write = start_response("200 OK", TEXT)
        write(b"hel")
        write(b"")
        write("lo")
        return result() if callable(result) else result

    reply = serve(rig, app)
    assert reply.body in (b"hello", b"hello-end")
    assert reply.body.endswith(b"-end") == bool(result)


def test_write_with_a_length(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "5")])
        write(b"hel")
        return [b"lo"]

    reply = serve(rig, app)
    assert (reply.body, reply.get("content-length")) == (b"hello", "5")
    assert rig.failures == []


# ---------------------------------------------------------------- no body


def test_head(rig: Rig) -> None:
    results = [[b"hello"], lambda: iter([b"hel", b"lo"]), []]
    for number, result in enumerate(results):
        rig.app(returning(result, ("X-Number", str(number))), f"/{number}")
    client = rig.client()
    for number in range(3):
        reply = client.get(f"/{number}", method="HEAD")
        assert (reply.code, reply.body, reply.get("x-number")) == (200, b"", str(number))
    # Nothing of a body was left between the responses.
    assert client.get("/0").body == b"hello"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("result", [[b"not to be sent"], lambda: iter([b"not", b"sent"]), []])
def test_statuses_without_a_body(rig: Rig, status: str, result: Any) -> None:
    rig.app(returning(result, status=status), "/none")
    rig.app(hello)
    client = rig.client()
    reply = client.get("/none")
    assert (f"{reply.code}", reply.body, reply.get("transfer-encoding")) == (status[:3], b"", None)
    assert client.get("/").body == b"hello"


# ---------------------------------------------------------------- close()


def closed_by(rig: Rig, result: Closing, *fields: tuple[str, str], status: str = "200 OK", method: str = "GET") -> int:
    rig.app(returning(result, *fields, status=status))
    client = rig.client()
    client.send(request_bytes("/", method=method))
    rig.until(lambda: rig.records)
    return result.closed


def test_close_is_called_once(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a", b"b"])) == 1


def test_close_is_called_without_pieces(rig: Rig) -> None:
    assert closed_by(rig, Closing([])) == 1


def test_close_is_called_for_head(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a", b"b"]), method="HEAD") == 1


def test_close_is_called_when_the_first_piece_fails(rig: Rig) -> None:
    assert closed_by(rig, Closing([], ZeroDivisionError())) == 1


def test_close_is_called_when_a_later_piece_fails(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a"], ZeroDivisionError())) == 1


def test_close_is_called_when_a_piece_is_no_piece(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a", 42])) == 1


def test_close_is_called_when_the_head_cannot_be_sent(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a"]), ("X-Bad", "a\r\nb")) == 1


def test_close_is_called_when_the_length_was_wrong(rig: Rig) -> None:
    assert closed_by(rig, Closing([b"a"]), ("Content-Length", "5")) == 1


def test_close_is_called_when_the_client_goes(rig: Rig) -> None:
    result = Closing(b"x" * 65536 for _ in range(1000))
    rig.app(returning(result))
    client = rig.client()
    client.send(request_bytes("/"))
    rig.settle()
    assert result.closed == 0
    client.close()
    rig.until(lambda: client.is_closed)
    assert result.closed == 1
    assert rig.failures == []


def test_a_close_that_fails_is_told_and_harms_nobody(rig: Rig) -> None:
    class Bad(Closing):
        def close(self) -> None:
            raise ZeroDivisionError("in close")

    rig.app(returning(lambda: Bad([b"hel", b"lo"])))
    client = rig.client()
    for _ in range(2):
        assert client.get("/").body == b"hello"
    assert [str(each) for each in rig.failures] == ["in close"] * 2


# ---------------------------------------------------------------- apps that fail


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), SystemExit("oops"), KeyboardInterrupt(), GeneratorExit()])
def test_an_app_that_raises_is_a_500(rig: Rig, error: BaseException) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", TEXT)
        raise error

    rig.app(app, "/bad")
    rig.app(hello)
    client = rig.client()
    reply = client.get("/bad")
    assert reply.code == 500
    assert b"oops" not in reply.body
    assert rig.failures == [error]
    # The connection is none the worse for it.
    assert client.get("/").body == b"hello"


def test_an_app_that_raises_half_way_is_a_reset(rig: Rig) -> None:
    rig.app(returning(Closing([b"some"], ZeroDivisionError())))
    client = rig.client()
    client.send(request_bytes("/"))
    client.end()
    assert b"some" in client.received
    assert not client.received.endswith(b"0\r\n\r\n")
    assert [type(each) for each in rig.failures] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("app", "text"),
    [
        (lambda environ, start: [b"x"], "without calling start_response"),
        (lambda environ, start: [b"x", b"y"], "without calling start_response"),
        (lambda environ, start: [], "without calling start_response"),
        (lambda environ, start: (start("200 OK", []), start("200 OK", []), [b"x"])[2], "a second time"),
        (lambda environ, start: (start("OK", []), [b"x"])[1], "such as '200 OK'"),
        (lambda environ, start: (start("200 OK", [("a b", "c")]), [b"x"])[1], "can't be sent"),
        (lambda environ, start: (start("200 OK", [("a", "b\nc")]), [b"x"])[1], "can't be sent"),
        (lambda environ, start: (start("200 OK", [("a", 5)]), [b"x"])[1], "not a (name, value) pair"),
        (lambda environ, start: (start("200 OK", [("Content-Length", "x")]), [b"x"])[1], "expected a number"),
        (lambda environ, start: (start("200 OK", []), [42])[1], "gave int for a piece of its body"),
        (lambda environ, start: (start("200 OK", []), None)[1], "gave None for its body"),
        (lambda environ, start: (start("200 OK", []), 42)[1], "gave int for its body"),
    ],
)
def test_what_an_app_does_wrong_is_explained(rig: Rig, app: Any, text: str) -> None:
    assert serve(rig, app).code == 500
    assert len(rig.failures) == 1
    assert text in str(rig.failures[0])


def test_exc_info_after_the_head_is_raised(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"some"
        try:
            raise KeyError("late")
        except KeyError:
            start_response("500 Oh", TEXT, sys.exc_info())
        yield b"never"

    rig.app(app)
    client = rig.client()
    client.send(request_bytes("/"))
    client.end()
    assert b"some" in client.received and b"never" not in client.received
    assert [repr(each) for each in rig.failures] == ["KeyError('late')"]


def test_exc_info_before_the_head_replaces_it(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("X-First", "1")])
        try:
            raise KeyError("early")
        except KeyError:
            start_response("500 Oh", [("X-Second", "2")], sys.exc_info())
        return [b"sorry"]

    reply = serve(rig, app)
    assert (reply.code, reply.body, reply.get("x-first"), reply.get("x-second")) == (500, b"sorry", None, "2")


def test_a_reporter_that_fails_leaves_no_connection_behind(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log's disk is full, perhaps."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        raise ZeroDivisionError("in the app")

    def report(stream: Any, error: BaseException) -> None:
        raise OSError("no space left on device")

    handler = rig.app(app)
    monkeypatch.setattr(handler._settings, "report", report)
    client = rig.client()
    client.send(request_bytes("/"))
    client.end()
    client.close()
    rig.settle()
    assert client.is_closed
    err = capsys.readouterr().err
    assert "no space left on device" in err and "ZeroDivisionError: in the app" in err


# ---------------------------------------------------------------- the environ


def environ_of(rig: Rig, request: bytes, path: str = "") -> Environ:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        seen.append(environ)
        return list(hello(environ, start_response))

    rig.app(app, path)
    assert rig.client().ask(request).code == 200
    return seen[0]


def test_what_an_environ_holds(rig: Rig) -> None:
    environ = environ_of(rig, request_bytes("/sub/a%20b?x=%20y", "X-Thing: 1", "X-Thing: 2", "A_B: no"), "/sub")
    assert type(environ) is dict
    expected = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/sub", "PATH_INFO": "/a b", "QUERY_STRING": "x=%20y",
        "REQUEST_URI": "/sub/a%20b?x=%20y", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": rig.listener.port, "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "40000", "HTTP_HOST": "localhost",
        "HTTP_X_THING": "1, 2", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.run_once": False,
    }  # fmt: skip
    assert {key: environ[key] for key in expected} == expected
    assert "HTTP_A_B" not in environ
    assert "CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(
    ("mount", "target", "script", "path"),
    [
        ("", "/", "", "/"),
        ("", "/a/b", "", "/a/b"),
        ("/sub", "/sub", "/sub", ""),
        ("/sub", "/sub/", "/sub", "/"),
        ("/sub", "/sub//x", "/sub", "//x"),
        ("/sub", "/sub/%e2%82%ac", "/sub", "/\xe2\x82\xac"),
        ("", "http://other/x?y", "", "/x"),
    ],
)
def test_script_name_and_path_info(rig: Rig, mount: str, target: str, script: str, path: str) -> None:
    environ = environ_of(rig, request_bytes(target), mount)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script, path)


def test_http_1_0(rig: Rig) -> None:
    assert environ_of(rig, b"GET / HTTP/1.0\r\n\r\n")["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_an_app_may_do_with_its_environ_as_it_likes(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        dirty = environ.get("dirt", "clean")
        environ.clear()
        environ["dirt"] = "dirty"
        start_response("200 OK", TEXT)
        return [dirty.encode()]

    rig.app(app)
    client = rig.client()
    assert [client.get("/").body for _ in range(3)] == [b"clean"] * 3


# ---------------------------------------------------------------- the request's body


def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", TEXT)
    return [environ["wsgi.input"].read()]


def test_a_body_is_read(rig: Rig) -> None:
    rig.app(echo)
    client = rig.client()
    assert client.ask(request_bytes("/", method="POST", body=b"some\ntext")).body == b"some\ntext"
    assert client.ask(request_bytes("/", method="POST")).body == b""
    chunked = b"4\r\nsome\r\n5;x=y\r\n text\r\n0\r\nX-Trailer: 1\r\n\r\n"
    assert client.ask(request_bytes("/", "Transfer-Encoding: chunked", method="POST") + chunked).body == b"some text"


@pytest.mark.parametrize("threads", [0, 2])
def test_a_large_body_is_read(make_rig: MakeRig, threads: int) -> None:
    rig = make_rig(threads=threads)
    rig.app(echo)
    client = rig.client()
    body = bytes(range(256)) * 8000
    assert client.ask(request_bytes("/", method="PUT", body=body)).body == body
    assert client.get("/").body == b""


def test_without_a_body_there_is_nothing_to_read(rig: Rig) -> None:
    read = environ_of(rig, request_bytes("/"))["wsgi.input"]
    assert (read.read(), read.read(5), read.readline(), read.readlines(), list(read)) == (b"", b"", b"", [], [])


@pytest.mark.parametrize("threads", [0, 1])
def test_a_body_beyond_the_limit_is_413(make_rig: MakeRig, threads: int) -> None:
    rig = make_rig(threads=threads)
    rig.app(echo, max_body_bytes=10)
    assert rig.client().ask(request_bytes("/", method="POST", body=b"x" * 10)).code == 200
    # Before it was sent.
    assert rig.client().ask(request_bytes("/", "Content-Length: 11", method="POST")).code == 413
    client = rig.client()
    client.send(request_bytes("/", "Transfer-Encoding: chunked", method="POST") + b"b\r\n12345678901\r\n")
    assert client.reply().code == 413


def test_a_body_that_grows_beyond_the_limit_under_the_app_is_413(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1)
    rig.app(echo, max_body_bytes=300000)
    client = rig.client()
    client.send(request_bytes("/", "Transfer-Encoding: chunked", method="POST"))
    for _ in range(3):
        client.send(b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
    assert client.reply().code == 413
    assert rig.failures == []


@pytest.mark.parametrize("threads", [0, 1])
def test_expect_100_continue(make_rig: MakeRig, threads: int) -> None:
    rig = make_rig(threads=threads)
    rig.app(echo)
    client = rig.client()
    client.send(request_bytes("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))

    def is_asked_for() -> bool:
        client.take()
        return b"\r\n\r\n" in client.received

    rig.until(is_asked_for)
    assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.received = b""
    assert client.ask(b"hello").body == b"hello"


def test_expect_100_continue_of_an_app_that_does_not_read(make_rig: MakeRig) -> None:
    """The final status without the body: the client saves itself the trouble of sending it."""
    rig = make_rig(threads=1)
    rig.app(returning([b"no, thanks"], status="403 Forbidden"))
    client = rig.client()
    reply = client.ask(request_bytes("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    # Whether the body will come is not known, so this is the last response here.
    assert (reply.code, reply.get("connection")) == (403, "close")


def test_a_client_that_is_gone_before_it_was_asked_for_its_body(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.app(echo)
    client = rig.client()
    client.send(request_bytes("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    client.close()
    rig.settle()
    assert client.is_closed
    assert capsys.readouterr().err == ""
    assert rig.failures == []


# ---------------------------------------------------------------- wsgi.file_wrapper


def file_app(file: Any, *size: int) -> Callable[..., Any]:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"](file, *size)

    return app


def test_a_file_is_sent_and_closed(rig: Rig) -> None:
    file = io.BytesIO(bytes(range(256)) * 2000)
    rig.app(file_app(file))
    assert rig.client().get("/").body == bytes(range(256)) * 2000
    assert file.closed


def test_a_file_of_text_is_sent_and_ends(rig: Rig) -> None:
    assert serve(rig, file_app(io.StringIO("grün\n" * 50), 7)).body == "grün\n".encode() * 50


def test_a_thing_that_only_reads_is_a_file(rig: Rig) -> None:
    class Reader:
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def read(self, size: int) -> bytes:
            self.sizes.append(size)
            return b"x" * size if len(self.sizes) < 4 else b""

    reader = Reader()
    assert serve(rig, file_app(reader, 10)).body == b"x" * 30
    assert reader.sizes == [10] * 4


def test_a_wrapper_may_be_read_by_middleware() -> None:
    assert list(FileWrapper(io.BytesIO(b"abcdef"), 4)) == [b"abcd", b"ef"]


# ---------------------------------------------------------------- the standard library's own opinion


@pytest.mark.parametrize(
    "request_",
    [
        request_bytes("/"),
        request_bytes("/a%2Fb?c=d", method="DELETE"),
        request_bytes("/", method="HEAD"),
        request_bytes("/", method="POST", body=b"x" * 100),
        request_bytes("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
    ids=["GET", "DELETE", "HEAD", "POST", "chunked", "1.0"],
)
@pytest.mark.parametrize("mount", ["", "/sub"])
def test_wsgiref_has_nothing_to_say(rig: Rig, request_: bytes, mount: str) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        data = environ["wsgi.input"].read(1000)
        environ["wsgi.errors"].write("")
        environ["wsgi.errors"].flush()
        start_response("200 OK", [*TEXT, ("Content-Length", str(len(data)))])
        return [data]

    method = request_.partition(b" ")[0]
    rig.app(validator(app), mount)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = rig.client().ask(request_.replace(b" /", b" " + mount.encode() + b"/", 1))
    assert rig.failures == []
    assert reply.code == 200
    assert method == b"HEAD" or reply.get("content-length") == str(len(reply.body))
