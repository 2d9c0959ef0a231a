"""Pages for what goes wrong."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.caller import Caller


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__)

    @app.route("/fail")
    def fail(was: Any, **named: Any) -> Any:
        raise LookupError("secret <place>")

    @app.route("/refuse")
    def refuse(was: Any) -> Any:
        raise was.Error("400 Bad Request", "title <required>")

    return app


def test_a_failure_is_logged_and_not_shown(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = Caller(app).get("/fail")
    assert answer.code == 500
    assert "secret" not in answer.text
    assert answer["Cache-Control"] == "no-store"
    assert "LookupError: secret" in caplog.text


def test_debug_shows_where_it_happened(app: Atila) -> None:
    app.debug = True
    answer = Caller(app).get("/fail")
    assert "secret &lt;place&gt;" in answer.text
    assert "function fail" in answer.text


def test_programs_get_json(app: Atila) -> None:
    call = Caller(app)
    assert call.get("/refuse", HTTP_ACCEPT="application/json").data == {
        "code": 400, "message": "Bad Request", "detail": "title <required>",
    }  # fmt: skip
    assert "<h1>" in call.get("/refuse", HTTP_ACCEPT="text/html,application/json;q=0.5").text
    assert "title &lt;required&gt;" in call.get("/refuse").text
    app.debug = True
    assert call.get("/fail", HTTP_ACCEPT="application/json").data["traceback"][0] == "secret <place>"


def test_handlers(app: Atila) -> None:
    @app.default_error_handler
    def default_error_handler(was: Any, error: dict[str, Any]) -> str:
        return "<h1>{code} {message}</h1>".format(**error)

    @app.error_handler(404)
    def not_found(was: Any, error: dict[str, Any]) -> Any:
        return was.response.fault(error["message"].lower(), 40400, None, error["detail"])

    call = Caller(app)
    assert (call.get("/fail").code, call.get("/fail").text) == (500, "<h1>500 Internal Server Error</h1>")
    missing = call.get("/none")
    assert (missing.code, missing.data["message"], missing.data["code"]) == (404, "not found", 40400)


def test_what_handlers_are_told(app: Atila) -> None:
    seen: list[dict[str, Any]] = []

    @app.errorhandler(500)
    def mine(was: Any, error: dict[str, Any]) -> str:
        seen.append(error)
        return "x"

    call = Caller(app, "/m")
    call.get("/m/fail?a=1")
    app.debug = True
    call.get("/m/fail")
    normal, debug = seen
    assert set(normal) == {
        "code", "message", "detail", "mode", "debug", "time", "url", "software", "traceback", "errno"
    }  # fmt: skip
    assert (normal["code"], normal["mode"], normal["url"], normal["traceback"]) == (500, "normal", "/m/fail?a=1", None)
    assert (debug["mode"], debug["debug"]) == ("debug", "secret <place>")
    said, *places = debug["traceback"]
    assert said == "secret <place>"
    # Where the framework itself was is of no use to an app's author.
    assert [place.partition(" at line ")[0] for place in places] == [f"in file {__file__}"]
    assert "function fail" in places[0]


def test_all_errors_as_json(app: Atila) -> None:
    @app.default_error_handler
    def default_error_handler(was: Any, error: dict[str, Any]) -> Any:
        code = error["errno"] or str(error["code"]) + "00"
        return was.response.fault(
            error["message"].lower(), code, None,
            error["detail"], exc_info=error["traceback"]
        )  # fmt: skip

    call = Caller(app)
    assert call.get("/fail").data == {"message": "internal server error", "code": "50000", "more_info": ""}
    assert (call.get("/refuse").code, call.get("/refuse").data["more_info"]) == (400, "title <required>")
    app.debug = True
    assert "function fail" in call.get("/fail").data["traceback"][-1]


def test_a_handler_that_fails(app: Atila) -> None:
    @app.defaulterrorhandler
    def broken(was: Any, error: dict[str, Any]) -> Any:
        raise RuntimeError("again")

    answer = Caller(app).get("/refuse")
    assert (answer.code, answer.text) == (500, "500 Internal Server Error")


def test_a_handler_may_send_another_response(app: Atila) -> None:
    @app.error_handler(400)
    def other(was: Any, error: dict[str, Any]) -> Any:
        return was.response("422 Unprocessable Content", "x", [("X-A", "1")])

    answer = Caller(app).get("/refuse")
    assert (answer.code, answer["X-A"]) == (422, "1")


def test_a_status_of_success_ends_a_request_too(app: Atila) -> None:
    @app.route("/ok")
    def ok(was: Any) -> Any:
        raise was.Error("204 No Content")

    assert (Caller(app).get("/ok").status, Caller(app).get("/ok").body) == ("204 No Content", b"")


@pytest.mark.parametrize("target", ["/%3Cscript%3E'%22", "/x?%3Cscript%3E'%22=1"])
def test_a_page_that_does_not_escape_does_not_run_what_a_link_says(app: Atila, target: str) -> None:
    """As in an example of the documents: the reason of an error has something of the request."""
    app.route("/x")(lambda was: "")

    @app.default_error_handler
    def default_error_handler(was: Any, e: dict[str, Any]) -> str:
        return str(e)

    page = Caller(app).get(target).text
    assert "%3Cscript%3E%27%22" in page
    assert "<script" not in page


def test_the_reason_of_an_error_is_not_as_long_as_a_client_likes(app: Atila) -> None:
    app.route("/x")(lambda was: "")
    assert "a" * 300 not in Caller(app).get("/x?" + "a" * 3000).text
