"""docs/atila.md: its examples are one app, which does what the page says."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.atila.browser import Browser

PAGE = (Path(__file__).parents[3] / "docs" / "atila.md").read_text()
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEMPLATE = re.compile(r"`templates/([\w.]+)`[^`]*:\n\n```html\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Any]:
    """The page's code as a module in a folder with the page's templates."""
    made = ModuleType("app_of_the_page")
    made.__file__ = str(tmp_path / "app.py")
    sys.modules[made.__name__] = made
    for folder in ("templates", "resources"):
        (tmp_path / folder).mkdir()
    (tmp_path / "resources" / "manual.txt").write_text("read me")
    for name, text in TEMPLATE.findall(PAGE):
        (tmp_path / "templates" / name).write_text(text)
    exec(compile("\n".join(PYTHON.findall(PAGE)), made.__file__, "exec"), made.__dict__)
    yield made
    del sys.modules[made.__name__]


@pytest.fixture
def browser(module: Any) -> Browser:
    return Browser(module.app)


def basic(password: str = "1234") -> str:
    return "Basic " + b64encode(f"ada:{password}".encode()).decode()


def test_all_of_it_was_read() -> None:
    assert len(PYTHON.findall(PAGE)) == PAGE.count("```python")
    assert len(TEMPLATE.findall(PAGE)) == PAGE.count("```html")


def test_every_section_of_the_contents_is_there() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^###? (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\(#([\w-]+)\)", PAGE)) <= anchors


def test_first_app_and_routes(browser: Browser) -> None:
    assert browser.get("/").text == "<h1>Hello</h1>"
    assert browser.get("/hello/Ada_Lovelace?greeting=Welcome").text == "Welcome, Ada Lovelace!"
    assert browser.get("/hello/Ada?loud=1").status == 400
    assert browser.get("/hello/<b>?greeting=<i>").text == "&lt;i&gt;, &lt;b&gt;!"
    assert browser.get("/pets?limit=5").json == {"kind": None, "limit": "5"}
    assert browser.post_json("/pets", {"name": "Rex"}).status == 201
    assert browser.post("/pets", {"name": "Rex"}).status == 415
    assert browser.post_json("/pets", {}).status == 400
    assert browser.request("PUT", "/api/pets/5").status == 405
    assert browser.get("/pets/45").json == browser.get("/animals/45").json == {"id": 45}
    assert browser.get("/animals").json == {"id": None}
    assert browser.get("/files/a/b_c").text == "a/b_c"


@pytest.mark.parametrize(
    "changes, status",
    [
        ({}, 200),
        ({"count": 0}, 400),
        ({"count": "x"}, 400),
        ({"count": None}, 400),
        ({"article": "ab"}, 400),
        ({"mail": "nobody"}, 400),
        ({"mail": "ada@example.com", "note": "x" * 200}, 200),
        ({"note": "x" * 201}, 400),
    ],
)
def test_parameters_are_tested(browser: Browser, changes: dict[str, Any], status: int) -> None:
    order = {"article": "AB-1", "count": 5, **changes}
    given = {name: value for name, value in order.items() if value is not None}
    assert browser.post("/order", given).status == browser.post_json("/order", given).status == status


def test_what_functions_return(browser: Browser) -> None:
    reply = browser.get("/plain")
    assert (reply.status, reply["Cache-Control"]) == (200, "max-age=60")
    assert browser.get("/teapot").line == "418 I'm a teapot"
    assert browser.get("/numbers.csv").text == "0,0\n1,1\n2,4\n"
    assert browser.get("/numbers.csv?count=9999999").status == browser.get("/numbers.csv?count=x").status == 400
    reply = browser.get("/manual")
    assert (reply.text, reply["Content-Disposition"]) == ("read me", "attachment; filename*=UTF-8''manual.txt")
    reply = browser.get("/old")
    assert (reply.status, reply["Location"]) == (301, "/")


def test_errors(browser: Browser) -> None:
    assert browser.get("/stock/AB-1").text == "12"
    reply = browser.get("/stock/AB-2")
    assert (reply.status, reply.text) == (404, "<h1>404 Not Found</h1>\n<p>there is no AB-2</p>")
    reply = browser.get("/boom")
    assert (reply.status, reply.text) == (500, "<h1>500 Internal Server Error</h1>")


def test_errors_without_handlers(module: Any, browser: Browser) -> None:
    module.app.error_handlers.clear()
    told = {"code": 404, "message": "Not Found", "detail": "there is no AB-2"}
    assert browser.get("/stock/AB-2", accept="application/json").json == told
    assert "ZeroDivisionError" not in browser.get("/boom").text
    module.app.debug = True
    assert "division by zero" in browser.get("/boom").text


def test_json_for_programs(browser: Browser) -> None:
    assert browser.get("/api/pets/5").json == {"id": 5, "kind": "dog", "born": "2020-01-31"}
    reply = browser.request("DELETE", "/api/pets/5")
    assert (reply.status, reply.body) == (204, b"")
    reply = browser.get("/api/pets/101")
    assert reply.status == 400
    assert reply.json == {
        "message": "no such pet", "code": 40001, "debug": "ids end at 100",
        "more_info": "https://example.com/errors/40001",
    }  # fmt: skip
    reply = browser.get("/api/risky")
    assert reply.status == 500
    assert reply.json["message"] == "it did not work"
    assert reply.json["traceback"][0] == "division by zero"


def test_templates(module: Any, browser: Browser) -> None:
    text = browser.get("/pets/1/page?visitor=Ada").text
    assert "<h1>&lt;Rex&gt;</h1>" in text
    assert '<a href="/pets?kind=dog">' in text
    assert "Hello, Ada. &gt;xeR&lt;" in text
    rendered = module.other.get_template("list.html").render(pets=["Rex"])
    assert rendered.strip() == '<a href="#top">Rex</a> {{ vue }}'


def test_urls(module: Any) -> None:
    @module.app.route("/urls")
    def urls(was: Any, limit: int = 0) -> Any:
        return was.API(
            urls=[
                was.ab("pet", 45), was.ab(module.pet, 45), was.ab("pets", limit=5, kind="dog"),
                was.ab("hello", "Ada Lovelace"), was.ab("/css/home.css"), was.partial("pets", kind="cat"),
                was.basepath("pet"),
            ]
        )  # fmt: skip

    assert Browser(module.app, mount="/shop").get("/urls?limit=7").json["urls"] == [
        "/shop/pets/45", "/shop/pets/45", "/shop/pets?limit=5&kind=dog", "/shop/hello/Ada_Lovelace",
        "/shop/css/home.css", "/shop/pets?limit=7&kind=cat", "/shop/pets/",
    ]  # fmt: skip


def test_cookies_and_sessions(browser: Browser) -> None:
    reply = browser.get("/theme/dark")
    assert reply["Set-Cookie"].startswith("theme=dark; ")
    assert "Cookie" in reply.all("Vary")
    assert not browser.get("/theme/dark").all("Set-Cookie")
    assert [browser.get("/count").text for _ in range(2)] == ["visit 1", "visit 2"]


def test_messages_are_shown_once_or_for_a_while(browser: Browser) -> None:
    browser.get("/save")
    first, second = browser.get("/inbox").text, browser.get("/inbox").text
    assert re.findall(r'<p class="(\w+)">', first) == ["good", "warning"]
    assert re.findall(r'<p class="(\w+)">', second) == ["warning"]


def test_forms(browser: Browser) -> None:
    match = re.search('value="([^"]+)"', browser.get("/comment").text)
    assert match is not None
    assert browser.post("/comment", {"comment": "Nice."}).status == 400
    assert browser.post("/comment", {"comment": "Nice.", "XSRF_TOKEN": match[1]}).text == "Thank you."


def test_uploads(browser: Browser, tmp_path: Path) -> None:
    for name in ("a.png", "a.1.png"):
        reply = browser.upload("/photos", [("title", None, b"A"), ("photo", "../a.png", b"png")])
        assert reply.json == {"title": "A", "saved": str(tmp_path / "resources" / "photos" / name), "bytes": 3}
    assert browser.post("/photos", {"title": "A"}).status == 400


def test_who_asks(browser: Browser) -> None:
    assert browser.get("/office").status == 401
    assert browser.get("/office", authorization=basic("x")).status == 401
    assert browser.get("/office", authorization=basic()).text == "ada, staff"


def test_who_may(browser: Browser) -> None:
    assert browser.get("/account/5")["Location"] == "/sign-in"
    browser.get("/sign-in?user=hans")
    assert browser.get("/account/5").line == "403 Permission Denied"
    browser.get("/sign-in?user=root")
    assert browser.get("/account/5").text == "5"
    assert browser.request("DELETE", "/account/notme").status == 421


def test_tokens(browser: Browser) -> None:
    token = browser.get("/token", authorization=basic()).text
    assert browser.get("/predict", authorization=f"Bearer {token}").text == "ada: ada"
    assert browser.get("/predict", authorization=f"Bearer {token}x").status == 401
    link = browser.get("/forgot?user=ada").text
    assert browser.get(link).text == "a new password for ada"
    assert browser.get(link).status == 400


def test_around_every_request(browser: Browser) -> None:
    assert float(browser.get("/")["X-Took"]) < 60


def test_other_origins(browser: Browser) -> None:
    reply = browser.get("/", origin="https://www.example.com")
    assert reply["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert not browser.get("/", origin="https://other.example").all("Access-Control-Allow-Origin")
