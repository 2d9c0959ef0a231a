"""Arguments of functions, and was.request's values, as the documents have them."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.caller import Caller

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app() -> Atila:
    return Atila(__name__)


def test_a_value_of_the_path(app: Atila) -> None:
    @app.route("/episode/<int:id>")
    def episode(was: Any, id: int) -> Any:
        return id

    @app.route("/keyword/<int:id>")
    def keyword(was: Any, **karg: Any) -> Any:
        return was.request.ARGS.get("id")

    @app.route("/unnamed/<int:id>")
    def unnamed(was: Any) -> Any:
        return was.request.PARAMS["id"]

    call = Caller(app)
    assert [call.get(f"/{name}/100").text for name in ("episode", "keyword", "unnamed")] == ["100"] * 3


def test_the_query(app: Atila) -> None:
    @app.route("/1")
    def hello_world(was: Any, num: int = 8) -> Any:
        return num

    @app.route("/2")
    def hello_world2(was: Any) -> Any:
        return was.request.ARGS.get("num")

    @app.route("/3")
    def hello_world3(was: Any, **url: Any) -> Any:
        return url.get("num")

    @app.route("/4")
    def hello_world4(was: Any, **url: Any) -> Any:
        return was.request.URL.get("num")

    call = Caller(app)
    assert call.get("/1").text == "8"
    assert [call.get(f"/{n}?num=100").text for n in (1, 3, 4)] == ["100"] * 3
    assert call.get("/1?num=100&other=1").code == 400
    assert call.get("/2?num=100").code == 400
    assert call.get("/3?num=100&other=1").text == "100"
    assert call.get("/1?num=").text == ""


def test_a_form(app: Atila) -> None:
    @app.route("/1")
    def hello(was: Any, **form: Any) -> Any:
        return "Post {} {}".format(form.get("userid", ""), form.get("comment", ""))

    @app.route("/2")
    def hello_world(was: Any, userid: str, **form: Any) -> Any:
        return "Post {} {}".format(userid, form.get("comment", ""))

    call = Caller(app)
    for path in ("/1", "/2"):
        assert call.post(path, "userid=hans&comment=fine+%ED%95%9C", FORM).text == "Post hans fine 한"
        assert call.json(path, {"userid": "hans", "comment": "fine"}).text == "Post hans fine"
    missing = call.post("/2", "comment=x", FORM, HTTP_ACCEPT="application/json")
    assert (missing.code, missing.data["detail"]) == (400, "parameter userid required")


def test_all_at_once(app: Atila) -> None:
    @app.route("/1/<int:id>")
    def one(was: Any, id: int, topic: str) -> Any:
        return was.API(id=id, topic=topic)

    @app.route("/2/<int:id>")
    def two(was: Any, id: int, topic: str, comment: str) -> Any:
        return was.API(id=id, topic=topic, comment=comment)

    @app.route("/3/<int:id>")
    def three(was: Any, id: int, **karg: Any) -> Any:
        return was.API(id=id, **karg)

    @app.route("/4/<int:id>")
    def four(was: Any, id: int) -> Any:
        return was.request.args.get("topic")

    call = Caller(app)
    assert call.get("/1/100?topic=Python").data == {"id": 100, "topic": "Python"}
    whole = {"id": 100, "topic": "Python", "comment": "It is good idea"}
    for path in ("/2", "/3"):
        assert call.json(path + "/100?topic=Python", {"comment": "It is good idea"}).data == whole
        assert call.post(path + "/100?topic=Python", "comment=It+is+good+idea", FORM).data == whole
    assert call.get("/1/100").code == 400
    assert call.post("/4/100", "topic=Python", FORM).text == "Python"


def test_the_pythonic_style(app: Atila) -> None:
    @app.route("/pets/<kind>")
    @app.test_params("JSON", ["area"])
    def pets(was: Any, kind: str, limit: str, offset: int = 0, **JSON: Any) -> Any:
        return was.API(kind=kind, limit=limit, offset=offset, **JSON)

    call = Caller(app)
    answer = call.json("/pets/dog?limit=10", {"area": "LA"})
    assert answer.data == {"kind": "dog", "limit": "10", "offset": 0, "area": "LA"}
    assert call.json("/pets/dog?limit=10", {}).code == 400
    assert call.json("/pets/dog?limit=10&area=LA", {"x": 1}).code == 400


def test_what_the_path_says_counts(app: Atila) -> None:
    """Permission is asked for it."""

    @app.route("/users/<int:uid>")
    def users(was: Any, uid: Any, **more: Any) -> Any:
        return was.API(uid=uid, args=was.request.args.uid, more=more)

    call = Caller(app)
    assert call.json("/users/me?uid=5", {"uid": 6}).data == {"uid": "me", "args": "me", "more": {}}


def test_args(app: Atila) -> None:
    @app.route("/a")
    def a(was: Any, x: int = 1, **named: Any) -> Any:
        return was.API(was.request.args)

    call = Caller(app)
    assert call.get("/a?b=1&b=2&b=3").data == {"x": 1, "b": ["1", "2", "3"]}
    assert call.post("/a?b=url", "b=form", FORM).data == {"x": 1, "b": "form"}


def test_where_values_come_from(app: Atila) -> None:
    @app.route("/<int:id>")
    def a(was: Any, id: int, offset: int = 0, **named: Any) -> Any:
        request = was.request
        return was.API(
            DEFAULT=request.DEFAULT, URL=request.URL, PARAMS=request.PARAMS, FORM=request.FORM, JSON=request.JSON,
            DATA=request.DATA, data=request.data, dict=request.dict(), form=request.form(),
        )  # fmt: skip

    call = Caller(app)
    by_form = call.post("/3?q=1", "f=2", FORM).data
    assert by_form == {
        "DEFAULT": {"offset": 0}, "URL": {"q": "1"}, "PARAMS": {"id": 3}, "FORM": {"f": "2"}, "JSON": {},
        "DATA": {"f": "2"}, "data": {"f": "2"}, "dict": {"f": "2"}, "form": {"f": "2"},
    }  # fmt: skip
    by_json = call.json("/3", {"j": [1]}).data
    assert (by_json["JSON"], by_json["FORM"], by_json["DATA"]) == ({"j": [1]}, {}, {"j": [1]})


def test_a_body_that_the_function_reads_itself(app: Atila) -> None:
    @app.route("/a", methods=["POST"])
    def a(was: Any) -> Any:
        return was.API(was.request.json())

    @app.route("/b", methods=["POST"])
    def b(was: Any) -> Any:
        return was.request.body[::-1]

    call = Caller(app)
    assert call.json("/a", {"x": 1}).data == {"x": 1}
    assert call.json("/a", [1, 2]).data == [1, 2]
    assert call.post("/b", b"abc", "application/octet-stream").body == b"cba"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b'{"x": ', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", FORM, 400),
        (b"a=1&" * 5000, FORM, 400),
        (b"x" * 2000, "text/plain", 413),
        (b"x" * 2000, FORM, 413),
    ],
)
def test_wrong_bodies(app: Atila, body: bytes, kind: str, code: int) -> None:
    app.config.max_post_body_size = 100_000 if code == 400 else 1000

    @app.route("/a", methods=["POST"])
    def a(was: Any, **named: Any) -> Any:
        return str(len(was.request.body))

    assert Caller(app).post("/a", body, kind).code == code


def test_a_query_with_too_many_fields(app: Atila) -> None:
    app.route("/a")(lambda was, **named: "")
    assert Caller(app).get("/a?" + "a&" * 5000).code == 400


def test_a_wrong_argument_inside_a_function_is_a_failure_of_it(app: Atila) -> None:
    @app.route("/a")
    def a(was: Any) -> Any:
        return a()  # type: ignore[call-arg]

    assert Caller(app).get("/a").code == 500


def test_without_was(app: Atila) -> None:
    from skitaid import was

    @app.route("/<int:n>")
    def a(n: int) -> Any:
        was.response.set_header("X-N", n)
        return f"{was.request.method} {was.app is app} {was.request.args.n}"

    answer = Caller(app).get("/3")
    assert (answer.text, answer["X-N"]) == ("GET True 3", "3")


def test_the_request(app: Atila) -> None:
    @app.route("/a;p")
    def a(was: Any, **named: Any) -> Any:
        request = was.request
        return was.API(
            method=request.method, command=request.command, uri=request.uri, version=request.version,
            scheme=request.scheme, get_scheme=request.get_scheme(), split=request.split_uri(),
            header=request.get_header("content-TYPE"), missing=request.get_header("x-none"),
            agent=request.get_user_agent(), address=request.get_remote_addr(), real=request.get_real_ip(),
            is_private=request.is_private_ip(), kind=request.get_content_type(), main=request.get_main_type(),
            sub=request.get_sub_type(), host=request.headers["HOST"], has="x-none" in request.headers,
            headers=dict(request.get_headers()), all=dict(request.get_header()), body=request.get_body().decode(),
            env=was.env["QUERY_STRING"],
        )  # fmt: skip

    answer = Caller(app, "/m").post(
        "/m/a;p?q=1", "{}", "application/json; charset=utf-8", HTTP_HOST="example.com", HTTP_USER_AGENT="curl"
    )
    headers = {
        "host": "example.com", "user-agent": "curl", "content-type": "application/json; charset=utf-8",
        "content-length": "2",
    }  # fmt: skip
    assert answer.data == {
        "method": "POST", "command": "post", "uri": "/m/a;p?q=1", "version": "1.1", "scheme": "http",
        "get_scheme": "http", "split": ["/m/a", "p", "q=1", ""], "header": "application/json; charset=utf-8",
        "missing": None, "agent": "curl", "address": "127.0.0.1", "real": "127.0.0.1", "is_private": True,
        "kind": "application/json; charset=utf-8", "main": "application", "sub": "json", "host": "example.com",
        "has": False, "headers": headers, "all": headers, "body": "{}", "env": "q=1",
    }  # fmt: skip


def test_a_name_that_is_taken(app: Atila) -> None:
    """`was` is not the client's to give."""

    @app.route("/a")
    def a(was: Any, **named: Any) -> Any:
        return was.API(named)

    call = Caller(app)
    assert call.get("/a?was=1").code == 400
    assert call.json("/a", {"was": 1, "x": 2}).data == {"x": 2}


def test_a_segment_that_could_be_read_in_many_ways(app: Atila) -> None:
    app.route("/<a>-<b>-<c>-<d>")(lambda was, a, b, c, d: a)
    call = Caller(app)
    assert call.get("/" + "-" * 5000).code == 404
    assert call.get("/w-x-y-z").text == "w"


def test_a_function_around_another_gets_was(app: Atila) -> None:
    def around(function: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            return f"<{function(*args, **named)}>"

        return call

    @app.route("/around/<int:id>")
    @around
    def inside(was: Any, id: int) -> Any:
        return was.request.method + str(id)

    assert Caller(app).get("/around/4").text == "<GET4>"


NO_JSON = [b'{"a": NaN}', b"-Infinity", b"[" * 10000 + b"]" * 10000, b"1" * 10000, b"{", b"\xff"]


@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json(app: Atila, body: bytes) -> None:
    @app.route("/")
    def index(was: Any) -> Any:
        return was.API(got=was.request.JSON)

    answer = Caller(app)("POST", "/", body, CONTENT_TYPE="application/json")
    assert (answer.code, "sys." in answer.text, "recursion" in answer.text) == (400, False, False)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=B"])
def test_a_chunked_body_where_the_server_does_not_end_it(app: Atila, kind: str) -> None:
    """As under wsgiref: reading would wait for the client to hang up."""

    @app.route("/")
    def index(was: Any, **form: Any) -> Any:
        return was.API(form)

    call = Caller(app)
    chunked = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert call("POST", "/", b"{}", **chunked).code == 411
