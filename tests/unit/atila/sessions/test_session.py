"""Sessions: kept by the browser, believed only as they were left, over when they are told to be."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.context import Context
from skitaid.atila.security.signing import NoSecureKeyError
from skitaid.atila.sessions.session import Session
from skitaid.atila.sessions.signed_cookie import CookieTooLargeError
from tests.unit.atila.browser import Browser

KEY = "ds8fdsflksdjf9879dsf;?<>Asda"
ADMIN_KEY = "another key, of the administration alone"


class Visits:
    """Requests of one browser at times of our own."""

    def __init__(self, app: Atila) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def at(self, now: float, act: Callable[[Session], Any], *, address: str = "192.0.2.7", **environ: str) -> Any:
        field = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        was = Context(self.app, {"HTTP_COOKIE": field, "REMOTE_ADDR": address, "wsgi.url_scheme": "http", **environ})
        session = Session(was, clock=lambda: now)
        given = act(session)
        for function in was.at_commit or ():
            function(was)
        self.set_cookies = [value for name, value in was.response.headers if name == "Set-Cookie"]
        for line in self.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        return given


@pytest.fixture
def app() -> Atila:
    app = Atila("app")
    app.securekey = KEY
    app.session_timeout = 1200
    return app


@pytest.fixture
def visits(app: Atila) -> Visits:
    return Visits(app)


def test_the_example_of_the_documents(app: Atila) -> None:
    @app.route("/session")
    def hello_world(was: Any, **form: Any) -> str:
        if "login" not in was.session:
            was.session.set("user_id", form.get("hansroh"))
            # or
            was.session["user_id"] = form.get("hansroh")
        return str(was.session.get("user_id"))

    browser = Browser(app)
    reply = browser.post("/session", {"hansroh": "me"})
    assert reply.text == "me"
    assert reply["Vary"] == "Cookie"
    assert reply["Set-Cookie"].endswith("; Max-Age=1200; Path=/; HttpOnly; SameSite=Lax")


def test_without_a_key_there_is_no_session(app: Atila) -> None:
    app.securekey = None
    with pytest.raises(NoSecureKeyError):
        Visits(app).at(0, lambda session: None)


def test_what_is_set_is_there_at_the_next_request(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", ("hans", 5)))
    assert visits.at(1, lambda session: session["user"]) == ("hans", 5)


def test_a_session_is_over_after_its_time(visits: Visits) -> None:
    visits.at(1000, lambda session: session.set("user", "hans"))
    assert visits.at(2199, lambda session: "user" in session)
    assert not visits.at(2200, lambda session: "user" in session)


def test_reading_does_not_extend_it_and_changing_does(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.at(1000, lambda session: session.get("user"))
    assert visits.set_cookies == []
    visits.at(1100, lambda session: session.set("other", 1))
    assert visits.at(2200, lambda session: session.get("user")) == "hans"


def test_touch_extends_it(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.at(1000, lambda session: session.touch())
    assert visits.at(2199, lambda session: session.get("user")) == "hans"
    assert visits.at(2200, lambda session: session.get("user")) is None


def test_an_expiry_holds_until_the_time_out_of_the_app_reaches_further(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.at(0, lambda session: session.set_expiry(5000))
    visits.at(100, lambda session: session.set("other", 1))
    assert visits.at(4999, lambda session: session.get("user")) == "hans"
    visits.at(4500, lambda session: session.set("other", 2))
    assert visits.at(5699, lambda session: session.get("user")) == "hans"
    assert visits.at(5700, lambda session: session.get("user")) is None


def test_a_session_without_a_time_out_lasts_until_the_browser_is_closed(app: Atila, visits: Visits) -> None:
    app.session_timeout = None
    visits.at(0, lambda session: session.set("user", "hans"))
    assert "Max-Age" not in visits.set_cookies[0]
    assert visits.at(10**9, lambda session: session.get("user")) == "hans"


def test_expire_ends_it(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.at(1, lambda session: session.expire())
    assert "Max-Age=0" in visits.set_cookies[0]
    assert visits.at(2, len) == 0


def test_removing_the_last_value_removes_the_cookie(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.at(1, lambda session: session.remove("user"))
    assert not visits.cookies


def test_a_change_inside_of_a_list_is_kept(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("cart", ["apple"]))
    visits.at(1, lambda session: session["cart"].append("pear"))
    assert visits.at(2, lambda session: session["cart"]) == ["apple", "pear"]


def test_whoever_comes_from_another_address_is_told_apart(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))

    def look(session: Session) -> tuple[bool, Any, Any, Any]:
        return session.source_verified(), session.get("user"), session.getv("user"), session.getv("user", "nobody")

    assert visits.at(1, look) == (True, "hans", "hans", "hans")
    assert visits.at(1, look, address="198.51.100.1") == (False, "hans", None, "nobody")


def test_it_reads_like_a_dict(visits: Visits) -> None:
    visits.at(0, lambda session: session.update({"a": 1, "b": 2}))

    def look(session: Session) -> None:
        assert list(session) == list(session.keys()) == list(session.iterkeys()) == ["a", "b"]
        assert list(session.values()) == list(session.itervalues()) == [1, 2]
        assert dict(session.items()) == dict(session.iteritems()) == {"a": 1, "b": 2}
        assert session.has_key("a")
        assert len(session) == 2
        assert session.pop("a") == 1
        assert session.setdefault("a", 3) == 3
        del session["b"]
        with pytest.raises(KeyError):
            session["b"]

    visits.at(1, look)
    assert visits.at(2, lambda session: dict(session.items())) == {"a": 3}
    visits.at(3, lambda session: session.clear())
    assert not visits.cookies


def test_named_sessions_are_apart(visits: Visits) -> None:
    def begin(session: Session) -> None:
        session.set("user", "hans")
        session.mount("ADM", ADMIN_KEY, "/admin", session_timeout=60)
        session.set("admin_login", True)
        session.mount(None, KEY)
        assert session.get("admin_login") is None

    visits.at(0, begin)
    fields = {line.partition("=")[0]: line for line in visits.set_cookies}
    assert "Max-Age=60; Path=/admin;" in fields["atila-session-ADM"]
    assert "Max-Age=1200; Path=/;" in fields["atila-session"]

    def look(session: Session) -> tuple[Any, Any, bool]:
        session.mount("ADM", ADMIN_KEY)
        return session.get("user"), session.get("admin_login"), session.exists("ADM")

    assert visits.at(59, look) == (None, True, True)
    assert visits.at(60, look) == (None, None, False)


def test_whether_a_session_exists(app: Atila, visits: Visits) -> None:
    def begin(session: Session) -> None:
        session.set("user", "hans")
        session.mount("ADM", ADMIN_KEY)
        session.set("admin_login", True)

    assert visits.at(0, lambda session: (session.exists(None), session.exists("ADM"))) == (False, False)
    visits.at(0, begin)
    assert visits.at(1, lambda session: (session.exists(None), session.exists("ADM"))) == (True, True)

    other_process = Atila("app")
    other_process.securekey = KEY
    elsewhere = Visits(other_process)
    elsewhere.cookies = visits.cookies
    assert elsewhere.at(1, lambda session: session.exists("ADM")) is False
    assert elsewhere.at(1, lambda session: session.exists("ADM", ADMIN_KEY)) is True


def test_a_session_of_another_name_is_not_taken(visits: Visits) -> None:
    def begin(session: Session) -> None:
        session.mount("GUEST")
        session.set("level", "admin")

    visits.at(0, begin)
    visits.cookies = {"atila-session": visits.cookies["atila-session-GUEST"]}
    assert visits.at(1, lambda session: session.get("level")) is None


def test_the_first_cookie_that_is_ours_counts(app: Atila, visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    visits.cookies = {"atila-session": "of-another.app; atila-session=" + visits.cookies["atila-session"]}
    assert visits.at(1, lambda session: session.get("user")) == "hans"


def test_a_key_is_replaced_while_sessions_live(app: Atila, visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"))
    app.securekey = ["a new key", KEY]
    assert visits.at(1, lambda session: session.get("user")) == "hans"
    visits.at(2, lambda session: session.touch())
    app.securekey = ["a new key"]
    assert visits.at(3, lambda session: session.get("user")) == "hans"


def test_too_much_is_said_before_browsers_drop_it(visits: Visits) -> None:
    with pytest.raises(CookieTooLargeError, match="keep the data elsewhere"):
        visits.at(0, lambda session: session.set("random", list(range(4000))))


def test_too_much_is_a_500_that_the_log_explains(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    @app.route("/")
    def index(was: Any) -> str:
        was.session["random"] = list(range(4000))
        return "never"

    assert Browser(app).get("/").status == 500
    assert "keep the data elsewhere" in caplog.text


def test_a_cookie_over_tls_is_secure(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"), **{"wsgi.url_scheme": "https"})
    assert "; Secure; HttpOnly; SameSite=Lax" in visits.set_cookies[0]


def test_the_path_is_the_mount_point(visits: Visits) -> None:
    visits.at(0, lambda session: session.set("user", "hans"), SCRIPT_NAME="/shop")
    assert "; Path=/shop; " in visits.set_cookies[0]
