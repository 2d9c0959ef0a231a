"""Who may ask for what: the examples of the documents, and what they leave to be asked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.browser import Browser

ANY = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def status(app: Atila, method: str, target: str, level: str | None) -> int:
    fields = {} if level is None else {"authorization": f"Bearer {token(app, level)}"}
    return Browser(app).request(method, target, fields=fields).status


def token(app: Atila, level: str) -> str:
    from skitaid.atila.context import Context

    made: str = Context(app, {}).mkjwt({"userid": 1, "level": level, "levels": [level], "exp": time.time() + 60})
    return made


@pytest.fixture
def app() -> Atila:
    app = Atila("app")
    app.securekey = "5b2c4f18-01fd-4b85-8cfa-01827878562f"

    @app.permission_check_handler
    def permission_check_handler(was: Any, perms: list[str]) -> Any:
        claims = was.request.JWT
        if "err" in claims:
            return claims["err"]

        if not perms:
            return None  # permit for anyone who is authorized
        if claims["level"] == "admin":
            return None  # premit always
        if "admin" in perms:
            raise was.Error("403 Permission Denied")
        if "staff" in perms and claims["level"] != "staff":
            raise was.Error("403 Permission Denied")
        return None

    @app.route("/episodes/<int:uid>", methods=ANY)
    @app.permission_required(uid=["staff"])
    def episodes(was: Any, uid: Any) -> str:
        return str(uid)

    @app.route("/animals/<id>", methods=["GET", "POST", "DELETE"])
    @app.permission_required(["user"], id=["staff"], DELETE=["admin"])
    def animals(was: Any, id: Any = None) -> str:
        return str(id or was.request.JWT["userid"])

    return app


@pytest.mark.parametrize(
    "method, target, user, staff",
    [
        ("GET", "/episodes/me", 200, 200),
        ("DELETE", "/episodes/me", 200, 200),
        ("GET", "/episodes/4", 403, 200),
        ("PATCH", "/episodes/4", 403, 200),
        ("GET", "/episodes/new", 403, 200),
        ("POST", "/episodes/new", 403, 200),
        ("GET", "/episodes/notme", 403, 200),
        ("DELETE", "/episodes/notme", 421, 421),
        ("POST", "/episodes/notme", 421, 421),
        ("PATCH", "/episodes/notme", 421, 421),
        ("PUT", "/episodes/notme", 421, 421),
        ("GET", "/animals", 200, 200),
        ("GET", "/animals/me", 200, 200),
        ("GET", "/animals/100", 403, 200),
        ("HEAD", "/animals/100", 403, 200),
        ("GET", "/animals?id=100", 403, 200),
        ("DELETE", "/animals/me", 403, 403),
        ("DELETE", "/animals/100", 403, 403),
    ],
)
def test_the_table_of_the_documents(app: Atila, method: str, target: str, user: int, staff: int) -> None:
    assert (status(app, method, target, "user"), status(app, method, target, "staff")) == (user, staff)
    assert status(app, method, target, "admin") == (421 if user == 421 else 200)


def test_what_a_token_has_against_it_is_a_401(app: Atila) -> None:
    reply = Browser(app).get("/episodes/me", authorization="Bearer x.y.z")
    assert reply.status == 401
    assert reply["WWW-Authenticate"] == 'Bearer error="invalid_token", error_description="invalid token"'
    assert status(app, "GET", "/episodes/me", None) == 401


def test_what_the_path_says_is_not_undone_by_a_query(app: Atila) -> None:
    assert status(app, "GET", "/animals/100?id=me", "user") in (400, 403)


@pytest.mark.parametrize("needed", ["login_required", "staff_member_required"])
def test_without_a_handler_nobody_passes(needed: str) -> None:
    app = Atila("app")

    @app.route("/")
    @getattr(app, needed)
    def index(was: Any) -> str:
        return "never"

    assert Browser(app).get("/").status == 500


def test_without_a_permission_check_handler_nobody_passes() -> None:
    app = Atila("app")

    @app.route("/")
    @app.permission_required(["admin"])
    def index(was: Any) -> str:
        return "never"

    assert Browser(app).get("/").status == 500


def test_a_handler_that_returns_true_says_nothing() -> None:
    app = Atila("app")

    @app.login_handler
    def login_handler(was: Any) -> bool:
        return True

    @app.route("/")
    @app.login_required
    def index(was: Any) -> str:
        return "never"

    assert Browser(app).get("/").status == 500


def test_the_example_of_login_and_permission() -> None:
    app = Atila("app")
    app.securekey = "a key"
    accounts = {("hans", "1234"): ("hans", "admin"), ("roh", "5678"): ("roh", "user")}

    @app.login_handler
    def login_handler(was: Any) -> Any:
        if was.session.get("demo_username"):
            return None

        if was.request.args.get("username"):
            if not was.csrf_verify():
                return was.response("400 Bad Request")

            if was.request.args.get("signin"):
                user, level = accounts.get((was.request.args["username"], was.request.args["password"]), (None, None))
                if user:
                    was.session.set("demo_username", user)
                    was.session.set("demo_permission", level)
                    return None
                was.mbox.send("Invalid User Name or Password", "error")

        messages = "".join(each.msg for each in was.mbox.get())
        return f"{messages}|{was.csrf_token}"

    @app.permission_check_handler
    def permission_check_handler(was: Any, perms: list[str]) -> Any:
        if was.session.get("demo_permission") not in perms:
            return was.response("403 Permission Denied")
        return None

    @app.staff_member_check_handler
    def staff_check_handler(was: Any) -> Any:
        if was.session.get("demo_permission") not in ("staff"):
            return was.response("403 Staff Permission Required")
        return None

    @app.route("/", methods=["GET", "POST"])
    @app.permission_required(["admin"])
    @app.login_required
    def index(was: Any, **form: Any) -> str:
        return "Hello"

    @app.route("/staff")
    @app.login_required
    @app.staff_member_required
    def index2(was: Any) -> str:
        return "Hello"

    assert index.__name__ == "index"
    for (name, password), level in (
        (("hans", "1234"), "Hello"),
        (("roh", "5678"), "403 Permission Denied"),
        (("hans", "x"), ""),
    ):
        browser = Browser(app)
        csrf = browser.get("/").text.partition("|")[2]
        form = {"username": name, "password": password, "signin": "1"}
        assert browser.post("/", form).status == 400
        reply = browser.post("/", {**form, "XSRF_TOKEN": csrf})
        if level:
            assert level in (reply.text, reply.line)
            assert browser.get("/staff").line == "403 Staff Permission Required"
        else:
            assert reply.text.startswith("Invalid User Name or Password|")


def test_the_example_of_testpassing() -> None:
    app = Atila("app")
    app.users = {"admin": "1", "hans": "1"}

    def is_superuser(was: Any) -> Any:
        if was.user.username not in ("admin", "root"):
            return was.response("403 Permission Denied")
        return None

    @app.route("/open")
    @app.testpass_required(is_superuser)
    def modify_profile(was: Any) -> str:
        return "modified"

    @app.route("/asked", authenticate="basic")
    @app.testpass_required(is_superuser)
    def modify_other(was: Any) -> str:
        return "modified"

    browser = Browser(app)
    assert browser.get("/open").line == "403 Permission Denied"
    assert browser.get("/asked", authorization="Basic aGFuczox").line == "403 Permission Denied"
    assert browser.get("/asked", authorization="Basic YWRtaW46MQ==").text == "modified"


def test_what_a_test_says() -> None:
    app = Atila("app")

    @app.route("/profile")
    @app.testpass_required(lambda was: {"yes": True, "none": None, "no": False}.get(was.request.args["as"], "instead"))
    def modify_profile(was: Any, **args: Any) -> str:
        return "modified"

    browser = Browser(app)
    assert browser.get("/profile?as=yes").text == "modified"
    assert browser.get("/profile?as=none").text == "modified"
    assert browser.get("/profile?as=no").line == "403 Permission Denied"
    assert browser.get("/profile?as=other").text == "instead"


def ask(app: Atila, target: str, level: str, **given: Any) -> int:
    fields = {"authorization": f"Bearer {token(app, level)}"}
    if "json" in given:
        return Browser(app).post_json(target, given["json"], **fields).status
    return Browser(app).post(target, given["form"], **fields).status


@pytest.mark.parametrize("given", [{"form": {"id": "me"}}, {"json": {"id": None}}, {"json": {"id": "me"}}])
def test_whom_guards_see_is_whom_the_function_gets(app: Atila, given: dict[str, Any]) -> None:
    """A name in the query and the body: both take that of the body, or a user could ask for another's."""

    @app.route("/account")
    @app.permission_required(["user"], id=["staff"])
    def account(was: Any, id: Any = None) -> str:
        assert id == was.request.ARGS["id"]
        assert id in (None, "me")
        return "mine"

    assert ask(app, "/account?id=100", "user", **given) == 200
    assert ask(app, "/account?id=me", "user", form={"id": "100"}) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_notme_is_for_get_wherever_it_stands(app: Atila, method: str) -> None:
    @app.route("/rows/<int:uid>", methods=ANY)
    def rows(was: Any, uid: Any = None, note: str = "") -> str:
        return str(uid)

    browser = Browser(app)
    kind = "application/x-www-form-urlencoded"
    assert browser.request(method, "/rows?uid=notme").status == 421
    assert browser.request(method, "/rows", b"uid=notme", kind).status == 421
    assert browser.request(method, "/rows/4", b"note=notme", kind).text == "4"
    assert browser.get("/rows?uid=notme").text == "notme"
