"""Who asks: basic, digest, bearer, as apps of the documents demand it."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from hashlib import md5
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.security.authentication import User, WrongSchemeError
from skitaid.atila.security.digest import parse_fields
from skitaid.atila.security.nonces import Nonces, open_table
from tests.unit.atila.browser import Browser, Reply

REALM = "Partner App Area of mysite.com"


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def _hash(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


class DigestClient:
    """Answers challenges, as a browser does."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password
        self.nonce = ""
        self.count = 0

    def challenged(self, reply: Reply) -> dict[str, str]:
        assert reply.status == 401
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', reply["WWW-Authenticate"].removeprefix("Digest ")))
        self.nonce, self.count = fields["nonce"], 0
        self.realm = fields["realm"]
        return fields

    def answer(self, uri: str, *, count: int = 0, method: str = "GET", **changes: str) -> str:
        self.count = count or self.count + 1
        given = {"username": self.username, "realm": self.realm, "nonce": self.nonce, "uri": uri, "cnonce": "c"}
        given |= {"nc": f"{self.count:08x}", "qop": "auth", **changes}
        a1 = _hash(f"{self.username}:{self.realm}:{self.password}")
        a2 = _hash(f"{method}:{given['uri']}")
        parts = (a1, given["nonce"], given["nc"], given["cnonce"], given["qop"], a2)
        given.setdefault("response", _hash(":".join(parts)))
        return "Digest " + ", ".join(
            f"{name}={value}" if name in ("nc", "qop") else f'{name}="{value}"' for name, value in given.items()
        )


@pytest.fixture
def app() -> Atila:
    """The example of the documents: the whole app by digest."""
    app = Atila("app")
    app.authenticate = "digest"
    app.realm = REALM
    app.users = {"app": ("iamyourpartnerapp", 0, {"role": "root"})}

    @app.route("/hello/<name>")
    def hello(was: Any, name: str = "Hans Roh") -> str:
        user = was.request.user
        return f"Hello, {name} {user.name} {user.realm} {user.info} {was.user} {was.user.username}"

    @app.route("/open", authenticate=False)
    def opened(was: Any) -> str:
        return str(was.request.user)

    @app.route("/basic", authenticate="basic")
    def by_basic(was: Any) -> str:
        return str(was.request.user)

    @app.route("/twice")
    @app.authorization_required("digest")
    def twice(was: Any) -> str:
        return was.env["REMOTE_USER"]  # type: ignore[no-any-return]

    return app


# ---------------------------------------------------------------- digest


def test_the_example_of_the_documents(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "iamyourpartnerapp")
    asked = client.challenged(browser.get("/hello/you"))
    assert asked["realm"] == REALM
    assert asked["qop"] == "auth"
    reply = browser.get("/hello/you", authorization=client.answer("/hello/you"))
    assert reply.text == f"Hello, you app {REALM} {{'role': 'root'}} app app"
    assert browser.get("/open").text == ""


def test_a_wrong_password_is_refused_and_not_stale(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "guess")
    client.challenged(browser.get("/hello/you"))
    reply = browser.get("/hello/you", authorization=client.answer("/hello/you"))
    assert reply.status == 401
    assert "stale" not in reply["WWW-Authenticate"]


def test_what_was_heard_can_not_be_sent_again(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "iamyourpartnerapp")
    client.challenged(browser.get("/hello/you"))
    heard = client.answer("/hello/you")
    assert browser.get("/hello/you", authorization=heard).status == 200
    assert browser.get("/hello/you", authorization=heard).status == 401
    assert browser.get("/hello/you", authorization=client.answer("/hello/you")).status == 200


def test_an_answer_to_one_address_is_none_to_another(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "iamyourpartnerapp")
    client.challenged(browser.get("/hello/you"))
    assert browser.get("/hello/root", authorization=client.answer("/hello/you")).status == 400


def test_a_nonce_of_another_site_is_stale(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "iamyourpartnerapp")
    client.challenged(browser.get("/hello/you"))
    reply = browser.get("/hello/you", authorization=client.answer("/hello/you", nonce=Nonces(*open_table(None)).make()))
    assert reply.status == 401
    assert reply["WWW-Authenticate"].endswith("stale=true")
    client.challenged(reply)
    assert browser.get("/hello/you", authorization=client.answer("/hello/you")).status == 200


def test_an_app_and_a_route_that_demand_the_same_are_content_with_one_answer(app: Atila) -> None:
    browser, client = Browser(app), DigestClient("app", "iamyourpartnerapp")
    client.challenged(browser.get("/twice"))
    assert browser.get("/twice", authorization=client.answer("/twice")).text == "app"


def test_a_password_may_be_kept_encrypted(app: Atila) -> None:
    username, realm, password = "hansroh", REALM, "1234"
    # as the documents make it
    encrypted_password = md5((f"{username}:{realm}:{password}").encode()).hexdigest()
    app.users = {"hansroh": (encrypted_password, True)}
    browser, client = Browser(app), DigestClient(username, password)
    client.challenged(browser.get("/hello/you"))
    assert browser.get("/hello/you", authorization=client.answer("/hello/you")).status == 200
    assert browser.get("/basic", authorization=basic(username, password)).text == username


@pytest.mark.parametrize(
    "credentials",
    [
        "", "x", 'username="app"', 'username="a", realm="", nonce="n", uri="/", response="", nc=1, cnonce="", qop=auth',
        'username="app", realm="r", nonce="n", uri="/", response="r", nc=00000001, cnonce="", qop=auth-int',
        'username="app", realm="r", nonce="n", uri="/", response="r", nc=00000001, cnonce="", qop=auth, algorithm=X',
        'username="' + "\\" * 8000, "a=" * 8000, "," * 8000,
    ],
)  # fmt: skip
def test_fields_that_make_no_sense_are_none(credentials: str) -> None:
    begin = time.thread_time()
    assert parse_fields(credentials) is None
    assert time.thread_time() - begin < 0.1


# ---------------------------------------------------------------- basic


@pytest.mark.parametrize(
    "authorization, status",
    [
        (basic("app", "iamyourpartnerapp"), 200),
        (basic("app", "iamyourpartnerapp").replace("Basic", "bAsIc"), 200),
        (basic("app", "wrong"), 401),
        (basic("nobody", "no such user"), 401),
        (basic("app", ""), 401),
        ("Basic", 401),
        ("Basic %%%", 401),
        ("Basic " + b64encode(b"app").decode(), 401),
        ("Basic " + b64encode(b"\xff:\xfe").decode(), 401),
        ("Bearer x", 401),
        ("", 401),
    ],
)
def test_basic(app: Atila, authorization: str, status: int) -> None:
    reply = Browser(app).get("/basic", **({"authorization": authorization} if authorization else {}))
    assert reply.status == status
    if status == 401:
        assert reply["WWW-Authenticate"] == f'Basic realm="{REALM}", charset="UTF-8"'


def test_a_password_beyond_ascii(app: Atila) -> None:
    app.users = {"jürgen": "pässwörd:with colon"}
    reply = Browser(app).get("/basic", authorization=basic("jürgen", "pässwörd:with colon"))
    assert reply.text == "jürgen"


# ---------------------------------------------------------------- who knows the users


def test_a_handler_gives_passwords(app: Atila) -> None:
    asked: list[str] = []

    @app.authorization_handler
    def auth_handler(was: Any, username: str) -> Any:
        asked.append(username)
        return ("1234", False) if username == "hansroh" else None

    browser = Browser(app)
    assert browser.get("/basic", authorization=basic("hansroh", "1234")).text == "hansroh"
    assert browser.get("/basic", authorization=basic("app", "iamyourpartnerapp")).status == 401
    assert asked == ["hansroh", "app"]


def test_a_password_alone_does(app: Atila) -> None:
    app.users = {"hansroh": "1234"}
    assert Browser(app).get("/basic", authorization=basic("hansroh", "1234")).text == "hansroh"


def test_the_one_user_of_older_documents(app: Atila) -> None:
    app.users = {}
    app.user, app.password = "app", "iamyourpartnerapp"
    assert Browser(app).get("/basic", authorization=basic("app", "iamyourpartnerapp")).text == "app"


def test_true_is_the_kind_that_the_app_names() -> None:
    app = Atila("app")
    app.users = {"hansroh": ("1234", False)}

    @app.route("/hello/<name>", authenticate=True)
    def hello(was: Any, name: str = "Hans Roh") -> str:
        return "Hello, %s" % name  # noqa: UP031  # as the documents have it

    assert Browser(app).get("/hello/you")["WWW-Authenticate"].startswith("Digest ")
    app.authorization = "basic"
    assert Browser(app).get("/hello/you", authorization=basic("hansroh", "1234")).text == "Hello, you"


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(WrongSchemeError, match="'ntlm': expected basic, digest, bearer"):
        raise WrongSchemeError("ntlm")
    app = Atila("app")

    @app.route("/", authenticate="ntlm")
    def index(was: Any) -> str:
        return "never"

    assert Browser(app).get("/").status == 500


# ---------------------------------------------------------------- bearer


@pytest.fixture
def bearer_app() -> Atila:
    app = Atila("app")
    app.securekey = "5b2c4f18-01fd-4b85-8cfa-01827878562f"
    app.realm = "api"

    @app.route("/api/v1/predict")
    @app.authorization_required("bearer")
    def predict(was: Any) -> str:
        return f"{was.request.user} {was.request.JWT['username']}"

    @app.route("/token")
    def token(was: Any, life: float = 3600) -> Any:
        return was.mkjwt({"username": "hansroh", "exp": time.time() + float(life)})

    @app.route("/who")
    def who(was: Any) -> Any:
        return was.API(user=str(was.request.user), claims=was.request.JWT)

    return app


def test_a_token_of_ours(bearer_app: Atila) -> None:
    browser = Browser(bearer_app)
    token = browser.get("/token").text
    assert browser.get("/api/v1/predict", authorization=f"Bearer {token}").text == "hansroh hansroh"
    assert browser.get("/who", authorization=f"bearer {token}").json["user"] == "hansroh"
    assert browser.get("/who").json == {"user": "", "claims": {"err": "no token"}}


@pytest.mark.parametrize(
    "authorization, challenge",
    [
        ("", 'Bearer realm="api"'),
        ("Basic eDp5", 'Bearer realm="api"'),
        ("Bearer ", 'Bearer realm="api"'),
        ("Bearer x.y.z", 'Bearer realm="api", error="invalid_token", error_description="invalid token"'),
    ],
)
def test_a_token_that_is_none_is_401_never_500(bearer_app: Atila, authorization: str, challenge: str) -> None:
    fields = {"authorization": authorization} if authorization else {}
    reply = Browser(bearer_app).get("/api/v1/predict", **fields)
    assert reply.status == 401
    assert reply["WWW-Authenticate"] == challenge


def test_a_token_that_is_over(bearer_app: Atila) -> None:
    browser = Browser(bearer_app)
    reply = browser.get("/api/v1/predict", authorization="Bearer " + browser.get("/token?life=-1").text)
    assert reply.status == 401
    assert 'error_description="token expired"' in reply["WWW-Authenticate"]


def test_a_handler_of_the_app_judges_tokens(bearer_app: Atila) -> None:
    @bearer_app.bearer_handler
    def bearer_handler(was: Any, token: str) -> Any:
        if token == "of-my-own":
            was.request.user = User("friend")
            return None
        claims = was.request.JWT
        if "err" in claims:
            return claims["err"]
        return "not of these"

    @bearer_app.route("/friends", authenticate="bearer")
    def friends(was: Any) -> str:
        return str(was.user)

    browser = Browser(bearer_app)
    assert browser.get("/friends", authorization="Bearer of-my-own").text == "friend"
    assert browser.get("/friends", authorization="Bearer x").status == 401
    reply = browser.get("/friends", authorization="Bearer " + browser.get("/token").text)
    assert 'error_description="not of these"' in reply["WWW-Authenticate"]


def test_a_user_is_its_name() -> None:
    user = User("hans", "realm", {"role": "root"})
    assert (str(user), user, hash(user)) == ("hans", "hans", hash("hans"))
    assert user == User("hans")
    assert user != "other"
    assert user != 5
    assert user
    assert not User("")


def test_an_older_app_with_one_user_is_not_open() -> None:
    """The documents before 0.15.21 protect an app by app.user and app.password alone."""
    app = Atila("app")
    app.authorization = "basic"
    app.realm = "Partner App Area of mysite.com"
    app.user = "app"
    app.password = "iamyourpartnerapp"
    app.route("/hello/<name>")(lambda was, name="Hans Roh": f"Hello, {name}")
    app.route("/open", authenticate=False)(lambda was: "open")

    browser = Browser(app)
    assert browser.get("/hello/Ada").status == 401
    assert browser.get("/hello/Ada", authorization=basic("app", "iamyourpartnerapp")).text == "Hello, Ada"
    assert browser.get("/open").text == "open"
