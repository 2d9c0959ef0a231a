"""Messages: shown once, or for a while; carried on by the browser when no page showed them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.context import Context
from skitaid.atila.sessions.mbox import Message, MessageBox
from tests.unit.atila.browser import Browser


@pytest.fixture
def app() -> Atila:
    app = Atila("app")
    app.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"

    @app.route("/msg")
    def msg(was: Any) -> Any:
        was.mbox.send("This is Flash Message", "flash")
        was.mbox.send("This is Alert Message Kept by 60 seconds on every request", "alram", valid=60)
        return was.redirect(was.ab("showmsg", "Hans Roh"), status="302 Object Moved")

    @app.route("/showmsg")
    def showmsg(was: Any, name: str) -> Any:
        return was.API(name=name, messages=[(each.category, each.msg) for each in was.mbox.get()])

    @app.route("/fail")
    def fail(was: Any) -> Any:
        return was.response("503 Service Unavailable", str(len(was.mbox.get())))

    @app.route("/send")
    def send(was: Any, msg: str) -> str:
        was.mbox.push(msg, "error", icon="new_releases")
        return str(len(was.mbox))

    @app.route("/same")
    def same(was: Any) -> str:
        was.mbox.send("x" * 10000, "notice")
        return was.mbox.get("notice")[0].msg  # type: ignore[no-any-return]

    return app


def test_the_example_of_the_documents(app: Atila) -> None:
    browser = Browser(app)
    reply = browser.get("/msg")
    assert reply.line == "302 Object Moved"
    alarm = ["alram", "This is Alert Message Kept by 60 seconds on every request"]
    first = browser.get(reply["Location"]).json
    assert first == {"name": "Hans Roh", "messages": [["flash", "This is Flash Message"], alarm]}
    assert browser.get(reply["Location"]).json["messages"] == [alarm]


def test_a_page_that_fails_has_shown_nothing(app: Atila) -> None:
    browser = Browser(app)
    browser.get("/send?msg=one")
    assert browser.get("/fail").text == "1"
    assert browser.request("HEAD", "/showmsg?name=x").status == 200
    assert browser.get("/fail").text == "1"
    assert browser.get("/showmsg?name=x").json["messages"] == [["error", "one"]]
    assert not browser.cookies


def test_what_this_page_shows_needs_no_cookie_however_long_it_is(app: Atila) -> None:
    reply = Browser(app).get("/same")
    assert len(reply.text) == 10000
    assert not reply.all("Set-Cookie")


def test_when_there_are_too_many_the_oldest_are_lost(app: Atila) -> None:
    browser = Browser(app)
    for number in range(10):
        browser.get(f"/send?msg={number}-{random.Random(number).randbytes(400).hex()}")
    kept = [msg for _, msg in browser.get("/showmsg?name=x").json["messages"]]
    assert [msg.partition("-")[0] for msg in kept] == [str(number) for number in range(10 - len(kept), 10)]
    assert 0 < len(kept) < 10


def request(address: str = "192.0.2.7", cookie: str = "") -> Context:
    app = Atila("app")
    app.securekey = "key"
    return Context(app, {"HTTP_COOKIE": cookie, "REMOTE_ADDR": address, "wsgi.url_scheme": "http"})


@pytest.fixture
def found() -> Iterator[MessageBox]:
    """A box at the time of 1000 seconds."""
    was = request()
    yield MessageBox(was, clock=lambda: 1000.0)
    assert was.app.securekey


def test_a_message_is_a_tuple_of_six(found: MessageBox) -> None:
    sent = found.send("hello", "notice", 60, icon="bell")
    ((message_id, category, created, valid, msg, extra),) = found.get()
    assert (message_id, category, created, valid, msg) == (sent, "notice", 1000, 60, "hello")
    assert extra == {"icon": "bell"}


def test_messages_are_chosen(found: MessageBox) -> None:
    one = found.send("one", "notice")
    two = found.send("two", "news", icon="bell")
    three = found.send("three", "error", icon="fire")
    assert [each.id for each in found.get("notice")] == [one]
    assert [each.id for each in found.get("notice", "news")] == [one, two]
    assert [each.id for each in found.get("icon", "fire")] == [three]
    assert found.search("notice") == [one]
    assert found.search("icon", "bell") == [two]
    found.remove(two)
    found.remove("no such message")
    assert [each.id for each in found.get()] == [one, three]
    found.clear()
    assert len(found) == 0


@pytest.mark.parametrize("valid, now, is_over", [(0, 10**9, False), (60, 1059, False), (60, 1060, True)])
def test_a_message_is_over_after_its_time(valid: float, now: float, is_over: bool) -> None:
    assert Message("id", "", 1000, valid, "", {}).is_over(now) is is_over


def test_who_comes_from_another_address_is_told_apart() -> None:
    was = request()
    was.mbox.send("secret", "notice")
    for function in was.at_commit or ():
        function(was)
    (field,) = [value for name, value in was.response.headers if name == "Set-Cookie"]
    cookie = field.partition(";")[0]
    same, other = request(cookie=cookie), request("198.51.100.1", cookie)
    here, elsewhere = same.mbox, other.mbox
    assert here.source_verified()
    assert len(here.getv()) == 1
    assert not elsewhere.source_verified()
    assert elsewhere.getv() == []


def test_named_boxes_are_apart(app: Atila) -> None:
    @app.route("/named")
    def named(was: Any) -> Any:
        was.mbox.send("for the app")
        was.mbox.mount("ADM", "another key", path="/admin")
        was.mbox.send("10 data has been deleted", "warning")
        return was.API(exists=[was.mbox.exists("ADM"), was.mbox.exists("none")])

    @app.route("/adm")
    def adm(was: Any) -> Any:
        was.mbox.mount("ADM", "another key")
        return was.API(messages=[each.msg for each in was.mbox.get()])

    browser = Browser(app)
    reply = browser.get("/named")
    assert reply.json == {"exists": [True, False]}
    fields = {line.partition("=")[0]: line for line in reply.all("Set-Cookie")}
    assert "; Path=/admin; " in fields["atila-mbox-ADM"]
    assert browser.get("/adm").json == {"messages": ["10 data has been deleted"]}
    assert browser.get("/showmsg?name=x").json["messages"] == [["", "for the app"]]
