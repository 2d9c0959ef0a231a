"""What functions may return, and was.response, as the documents have them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.caller import Answer, Caller


@pytest.fixture
def app() -> Atila:
    return Atila(__name__)


def returned(content: Any) -> Answer:
    app = Atila(__name__)
    app.route("/")(lambda was: content)
    return Caller(app).get("/")


class More:
    def __init__(self) -> None:
        self.left = ["a", b"b", "한"]
        self.is_closed = False

    def more(self) -> Any:
        return self.left.pop(0) if self.left else b""

    def close(self) -> None:
        self.is_closed = True


class Next:
    def __init__(self, name: str) -> None:
        self.left = iter(["a", "b"])
        setattr(self, name, self.step)

    def step(self) -> str:
        return next(self.left)


def generate() -> Iterator[str]:
    for row in (("1", "2"), ("3", "4")):
        yield ",".join(row) + "\n"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("text 한", "text 한".encode()),
        (b"bytes", b"bytes"),
        (bytearray(b"x"), b"x"),
        (8, b"8"),
        (1.5, b"1.5"),
        (None, b""),
        ("", b""),
        (["a", b"b", 1], b"ab1"),
        (("a", [b"b", "c"]), b"abc"),
        (io.BytesIO(b"x" * 200_000), b"x" * 200_000),
        (io.StringIO("한"), "한".encode()),
        ([io.BytesIO(b"a"), More(), generate(), "z"], "aab한1,2\n3,4\nz".encode()),
        (More(), "ab한".encode()),
        (Next("next"), b"ab"),
        (Next("_next"), b"ab"),
        (iter(["a", b"b"]), b"ab"),
        (generate(), b"1,2\n3,4\n"),
    ],
)
def test_return_types(content: Any, body: bytes) -> None:
    answer = returned(content)
    assert (answer.status, answer.body, answer["Content-Type"]) == ("200 OK", body, "text/html; charset=utf-8")


def test_a_dict_is_json() -> None:
    answer = returned({"a": "한"})
    assert (answer["Content-Type"], answer.body) == ("application/json", '{"a": "한"}'.encode())


def test_what_can_not_be_sent() -> None:
    assert returned(object()).code == 500


def test_what_has_a_close_is_closed() -> None:
    for wrap in (lambda more: more, lambda more: [more], lambda more: ["a", more]):
        more = More()
        returned(wrap(more))
        assert more.is_closed


def test_the_same_response_in_three_forms(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        return was.response("200 OK", "hello", [("Cache-Control", "max-age=60")])

    @app.route("/2")
    def two(was: Any) -> Any:
        return was.response(body="hello", headers=[("Cache-Control", "max-age=60")])

    @app.route("/3")
    def three(was: Any) -> Any:
        was.response.set_header("Cache-Control", "max-age=60")
        return "hello"

    call = Caller(app)
    answers = [call.get(f"/{n}") for n in (1, 2, 3)]
    assert len({(each.status, each.body, tuple(sorted(each.fields))) for each in answers}) == 1
    assert answers[0]["Cache-Control"] == "max-age=60"


def test_a_status(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        return was.response("404 Not Found", "mine")

    @app.route("/2")
    def two(was: Any) -> Any:
        return was.response("404 Not Found")

    @app.route("/3")
    def three(was: Any) -> Any:
        was.response.set_status("202 Accepted")
        return "ok"

    @app.route("/4")
    def four(was: Any) -> Any:
        was.response.set_status(404)
        return was.response(body="none")

    call = Caller(app)
    assert (call.get("/1").code, call.get("/1").text) == (404, "mine")
    assert (call.get("/2").code, "Not Found" in call.get("/2").text) == (404, True)
    assert call.get("/3").status == "202 Accepted"
    assert call.get("/4").status == "404 Not Found"


def test_fields(app: Atila) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        response = was.response
        response["Content-Type"] = "text/plain"
        response.set_headers([("X-A", 1), ("X-B", "2")])
        response.set_header("x-a", "3")
        assert (response.get_header("X-A"), response["x-b"], response.get_status()) == ("3", "2", "200 OK")
        response.del_header("X-B")
        assert response.get_headers() == [("Content-Type", "text/plain"), ("x-a", "3")]
        return "x"

    answer = Caller(app).get("/")
    assert (answer["Content-Type"], answer["X-A"], answer["X-B"]) == ("text/plain", "3", None)


@pytest.mark.parametrize("how", ["set", "headers", "redirect"])
def test_a_field_can_not_make_another(app: Atila, how: str) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        bad = "x\r\nSet-Cookie: a=b"
        if how == "set":
            was.response.set_header("X-A", bad)
        return was.redirect(bad) if how == "redirect" else was.response("200 OK", "x", [("X-A", bad)])

    answer = Caller(app).get("/")
    assert answer["Set-Cookie"] is None
    assert answer.code == (302 if how == "redirect" else 500)


@pytest.mark.parametrize(("name", "value"), [("X-A: b", "c"), ("", "c"), ("X A", "c"), ("X-A", "\x01"), ("X-A", "\0")])
def test_what_is_no_field(app: Atila, name: str, value: str) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        with pytest.raises(ValueError, match="this is not a field"):
            was.response.set_header(name, value)
        return "x"

    assert Caller(app).get("/").text == "x"


def test_an_exception_that_is_shown(app: Atila) -> None:
    @app.route("/raise_exception")
    def raise_exception(was: Any) -> Any:
        try:
            raise ValueError("Test Error")
        except ValueError:
            return was.response("500 Internal Server Error", exc_info=sys.exc_info())

    answer = Caller(app).get("/raise_exception")
    assert answer.code == 500
    assert "Test Error" in answer.text
    assert "function raise_exception" in answer.text


def test_an_explanation(app: Atila) -> None:
    @app.default_error_handler
    def default_error_handler(was: Any, error: Any) -> Any:
        return "{code} {message}: {detail}".format(**error)

    @app.route("/")
    def error(was: Any) -> Any:
        return was.response.with_explain("503 Service Unavailable", "Please Visit On Thurse Day")

    answer = Caller(app).get("/")
    assert (answer.status, answer.text) == (
        "503 Service Unavailable", "503 Service Unavailable: Please Visit On Thurse Day"
    )  # fmt: skip


def test_throw(app: Atila) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        was.response.throw("501 Not Implemented")

    assert Caller(app).get("/").status == "501 Not Implemented"


def test_send_error(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        was.response.send_error("500 Server Error", why="It's not my fault")
        return ""

    @app.route("/2")
    def two(was: Any) -> Any:
        return was.response.send_error("400 Bad Request", "no")

    call = Caller(app)
    assert call.get("/1").status == "500 Server Error"
    assert "It&#x27;s not my fault" in call.get("/1").text
    assert call.get("/2").code == 400


def test_files(app: Atila, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")

    @app.route("/streaming")
    def streaming(was: Any) -> Any:
        return was.response("200 OK", open(tmp_path / "a.mp4", "rb"), headers=[("Content-Type", "video/mp4")])

    @app.route("/<filename>")
    def getfile(was: Any, filename: str) -> Any:
        if not (tmp_path / filename).is_file():
            raise was.Error("404 Not Found", f"{filename} not exists")
        return was.File(tmp_path / filename)

    call = Caller(app)
    answer = call.get("/streaming")
    assert (answer["Content-Type"], answer.body) == ("video/mp4", b"film")
    answer = call.get("/a.mp4")
    assert (answer["Content-Type"], answer["Content-Length"], answer.body) == ("video/mp4", "4", b"film")
    assert call.get("/a.mp4", HTTP_IF_MODIFIED_SINCE=str(answer["Last-Modified"])).code == 304
    assert "b.mp4 not exists" in call.get("/b.mp4").text
    assert call("HEAD", "/a.mp4")["Content-Length"] == "4"


def test_a_file_that_is_not_there(app: Atila) -> None:
    app.route("/")(lambda was: was.File("/nowhere"))
    assert Caller(app).get("/").code == 404


def test_a_table(app: Atila) -> None:
    @app.route("/")
    def build_csv(was: Any) -> Any:
        return was.response("200 OK", generate(), headers=[("Content-Type", "text/csv")])

    answer = Caller(app).get("/")
    assert (answer["Content-Type"], answer.text) == ("text/csv", "1,2\n3,4\n")


def test_api(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        return was.API(rows=[{"id": 1}])

    @app.route("/2")
    def two(was: Any) -> Any:
        return was.API("201 Created", id=3)

    @app.route("/3")
    def three(was: Any) -> Any:
        return was.API("205 No Content")

    @app.route("/4")
    def four(was: Any) -> Any:
        return was.API({"a": 1})

    @app.route("/5")
    def five(was: Any) -> Any:
        return was.API()

    @app.route("/6")
    def six(was: Any) -> Any:
        return was.jstream({"a": 1})

    @app.route("/7")
    def seven(was: Any) -> Any:
        return was.api(
            [1],
        )

    call = Caller(app)
    assert call.get("/1").data == {"rows": [{"id": 1}]}
    assert (call.get("/2").status, call.get("/2").data) == ("201 Created", {"id": 3})
    assert (call.get("/3").status, call.get("/3").body, call.get("/3")["Content-Length"]) == (
        "205 No Content",
        b"",
        "0",
    )
    assert [call.get(f"/{n}").data for n in (4, 5, 6, 7)] == [{"a": 1}, {}, {"a": 1}, [1]]


def test_fault(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        return was.Fault("200 OK", data=[1, 2, 3])

    @app.route("/2")
    def two(was: Any) -> Any:
        return was.Fault("201 Accept")

    @app.route("/3")
    def three(was: Any) -> Any:
        return was.Fault("400 Bad Request", "missing parameter", 10021)

    @app.route("/4")
    def four(was: Any) -> Any:
        return was.Fault(
            "400 Bad Request", "missing parameter", 10021,
            "need parameter offset and limit",
            "http://127.0.0.1/moreinfo/10021",
        )  # fmt: skip

    @app.route("/5")
    def five(was: Any) -> Any:
        try:
            aa  # type: ignore[name-defined]  # noqa: B018
        except NameError:
            return was.Fault("500 Internal Server Error", "somethig is not valid", 10022, traceback=True)

    @app.route("/6")
    def six(was: Any) -> Any:
        try:
            aa  # type: ignore[name-defined]  # noqa: B018
        except NameError:
            return was.response.traceback("oops")

    call = Caller(app)
    assert call.get("/1").data == {"data": [1, 2, 3]}
    assert (call.get("/2").status, call.get("/2").data) == ("201 Accept", {})
    assert (call.get("/3").status, call.get("/3").data) == (
        "400 Bad Request", {"message": "missing parameter", "code": 10021}
    )  # fmt: skip
    assert call.get("/4").data == {
        "message": "missing parameter", "code": 10021, "debug": "need parameter offset and limit",
        "more_info": "http://127.0.0.1/moreinfo/10021",
    }  # fmt: skip
    seen = call.get("/5").data
    assert (seen["code"], seen["debug"], seen["traceback"][0]) == (
        10022, "see traceback", "name 'aa' is not defined"
    )  # fmt: skip
    assert "function five" in seen["traceback"][-1]
    assert call.get("/6").data["message"] == "oops"
    assert call.get("/6").code == 200


def test_redirect(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        return was.redirect(was.ab("two", "Hans Roh"), status="302 Object Moved")

    @app.route("/2")
    def two(was: Any, name: str) -> Any:
        was.response.set_header("X-A", "1")
        return was.redirect("/한?q=1")

    answer = Caller(app, "/m").get("/m/1")
    assert (answer.status, answer["Location"], answer.body) == ("302 Object Moved", "/m/2?name=Hans%20Roh", b"")
    answer = Caller(app).get("/2?name=x")
    assert (answer["Location"], answer["X-A"]) == ("/%ED%95%9C?q=1", "1")


def test_the_oldest_forms(app: Atila) -> None:
    @app.route("/1")
    def one(was: Any) -> Any:
        was.response["Content-Type"] = "text/plain"
        was.response.set_status("200 OK")
        return "Hello"

    @app.route("/2")
    def two(was: Any) -> Any:
        was.response["Content-Type"] = "text/csv"
        return generate()

    @app.route("/3")
    def three(was: Any) -> Any:
        return was.response.for_api("400 Bad Request", "no", 1)

    call = Caller(app)
    assert (call.get("/1")["Content-Type"], call.get("/1").text) == ("text/plain", "Hello")
    assert (call.get("/2")["Content-Type"], call.get("/2").text) == ("text/csv", "1,2\n3,4\n")
    assert (call.get("/3").code, call.get("/3").data) == (400, {"message": "no", "code": 1})


def test_a_wsgi_app_as_a_response(app: Atila) -> None:
    def other(environ: Any, start_response: Any) -> Any:
        start_response("202 Accepted", [("Content-Type", "text/plain")])
        return [b"other"]

    @app.route("/")
    def index(was: Any) -> Any:
        was.response.set_header("X-A", "1")
        return other

    answer = Caller(app).get("/")
    assert (answer.status, answer.text, answer["X-A"]) == ("202 Accepted", "other", "1")


def test_before_commit(app: Atila) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        was.before_commit(lambda was: was.response.add_header("Set-Cookie", "a=b"))
        was.response.add_header("Set-Cookie", "c=d")
        return was.response("200 OK", "x", [("Set-Cookie", "e=f")])

    assert sorted(Caller(app).get("/").all("Set-Cookie")) == ["a=b", "c=d", "e=f"]


def test_half_a_character_is_sent() -> None:
    """A client may send one in JSON, and an app show it."""
    assert returned("a\ud800").body == b"a?"
    assert returned(["a\ud800"]).body == b"a?"
    assert returned({"a": "\ud800"}).body == rb'{"a": "\ud800"}'


@pytest.mark.parametrize("content", [[{"id": 1}, {"id": 2}], [None], ("a", {"id": 1})])
def test_a_list_of_rows_is_not_sent_as_their_names(content: Any) -> None:
    assert returned(content).code == 500


def test_a_file_whose_name_cannot_be_one(app: Atila) -> None:
    @app.route("/<name>")
    def getfile(was: Any, name: str) -> Any:
        return was.File(f"/data/{name}")

    assert Caller(app).get("/a%00b").code == 404


def test_the_type_of_a_file_has_no_line_breaks(app: Atila) -> None:
    @app.route("/")
    def getfile(was: Any) -> Any:
        return was.File(__file__, "text/plain\r\nX-Evil: 1")

    answer = Caller(app).get("/")
    assert (answer.code, answer["X-Evil"]) == (500, None)


def test_what_cannot_be_sent_has_the_page_of_an_error(app: Atila) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        return object()

    @app.default_error_handler
    def page(was: Any, error: dict[str, Any]) -> Any:
        return f"{error['code']} of mine, {error['debug']}"

    call = Caller(app)
    assert (call.get("/").code, call.get("/").text) == (500, "500 of mine, None")
    app.debug = True
    assert "returned object, expected" in call.get("/").text
