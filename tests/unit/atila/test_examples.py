"""Examples of the reference documents about sessions, messages, templates and users, as they stand there, that no other
test has; where they slip (a name that is nowhere defined) they are put right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skitaid.atila import Saddle
from tests.unit.atila.browser import Browser

SECUREKEY_STRING = "a key of its own"
NEWS = """News for {{ was.g.username }},
  <ul>
    {% for mid, category, created, valid, msg, extra in was.mbox.get ("notice", "news") %}
      <li class="{{category}}"> {{ msg }}</li>
    {% endfor %}
  </ul>
"""


@pytest.fixture
def app(tmp_path: Path) -> Any:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "news.htm").write_text(NEWS)
    app = Saddle(__name__)
    app.home = str(tmp_path)
    app.debug = True
    app.securekey = "ds8fdsflksdjf9879dsf;?<>Asda"
    app.session_timeout = 1200  # sec
    return app


def test_messages_of_a_hook_are_shown_by_the_page(app: Any) -> None:
    def has_new_item() -> bool:
        return True

    @app.before_request
    def before_request(was: Any) -> None:
        if has_new_item():
            was.mbox.send("New Item Arrived", "notice")
            was.mbox.send("of no interest here", "other")

    @app.route("/main")
    def main(was: Any) -> Any:
        was.g.username = "Hans"
        return was.render("news.htm")

    text = Browser(app).get("/main").text
    assert text.startswith("News for Hans,")
    assert '<li class="notice"> New Item Arrived</li>' in text
    assert "of no interest here" not in text


def test_named_sessions_and_message_boxes(app: Any) -> None:
    @app.route("/")
    def index(was: Any) -> str:
        was.session.mount("ADM", SECUREKEY_STRING, path="/admin")
        was.session.set("admin_login", True)

        was.mbox.mount("ADM", SECUREKEY_STRING, path="/admin")
        was.mbox.send("10 data has been deleted", "warning")
        return "mounted"

    @app.route("/ask")
    def ask(was: Any) -> str:
        if not was.session.exists(None):
            return "Your session maybe expired or signed out, please sign in again"

        if not was.session.exists("ADM"):
            return "Your admin session maybe expired or signed out, please sign in again"
        return "signed in"

    @app.route("/sign-in")
    def sign_in(was: Any) -> str:
        was.session["user"] = "hans"
        return "signed in"

    browser = Browser(app)
    assert browser.get("/ask").text.startswith("Your session")
    browser.get("/sign-in")
    assert browser.get("/ask").text.startswith("Your admin session")
    assert all("; Path=/admin; " in line for line in browser.get("/").all("Set-Cookie"))
    assert browser.get("/ask").text == "signed in"


def test_templates_of_the_app_itself(app: Any) -> None:
    @app.route("/template")
    def template(was: Any) -> Any:
        found = was.app.get_template("news.htm" if was.app.debug else "index.html")  # getting Jinja template
        return found.render(was=was)

    assert Browser(app).get("/template").text.startswith("News for ")


def test_permission_by_levels_of_a_token(app: Any) -> None:
    @app.permission_check_handler
    def permission_check_handler(was: Any, perms: Any) -> Any:
        claims = was.request.JWT
        if "err" in claims:
            return claims["err"]
        if not perms:
            return None  # permit
        for p in claims["levels"]:
            if p in perms:
                return None  # permit
        return was.response("403 Permission Denied")

    @app.route("/")
    @app.permission_required(["admin"])
    def index(was: Any) -> str:
        return "Hello"

    @app.route("/token/<level>")
    def token(was: Any, level: str) -> Any:
        return was.mkjwt({"levels": [level]})

    browser = Browser(app)
    assert browser.get("/", authorization="Bearer " + browser.get("/token/admin").text).text == "Hello"
    assert browser.get("/", authorization="Bearer " + browser.get("/token/user").text).line == "403 Permission Denied"
    assert browser.get("/").status == 401


def test_a_link_to_reset_a_password(app: Any) -> None:
    @app.route("/password-reset")
    def password_reset(was: Any, **args: Any) -> Any:
        if was.request.args.get("username"):
            username = "hans"
            token = was.mkott(username, 3600, "pwrset")  # valid within 1 hour
            # send email
            return was.ab("password_reset", token=token)

        if was.request.args.get("token"):
            username = was.deott(was.request.args["token"])
            if not username:
                return was.response("400 Bad Request")
            return f"processing password reset of {username}"
        return None

    browser = Browser(app)
    link = browser.get("/password-reset?username=hans").text
    assert browser.get(link).text == "processing password reset of hans"
    assert browser.get("/password-reset?token=forged").status == 400
