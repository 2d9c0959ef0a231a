"""Apps of several modules, as the documents have them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skitaid.atila import Atila, Package, Saddlery
from skitaid.atila.mounting import MountError
from tests.unit.atila.caller import Caller

AUTH = """
def __mount__(app):
    @app.route("/login")
    def login(was):
        return was.ab(login) + " " + was.ab(__mntopt__.get("ns") and "regist.index" or "login")

    @app.route("")
    def index(was):
        return __mntopt__.get("redirect", "none")


def __umount__(app):
    app.closed.append("auth")
"""
SEARCH = """
def __mount__(app):
    @app.route("/search")
    def search(was):
        return "search"
"""
OLDER = """
def mount(app):
    @app.route("/older")
    def older(was):
        return "older"
"""
HELPERS = "def titlize(s):\n    return s.title()\n"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[Atila, Any]]]:
    """An app with a folder of services, all imported."""
    before = set(sys.modules)
    (tmp_path / "services").mkdir()
    sources = {"__init__": "", "auth": AUTH, "search": SEARCH, "older": OLDER, "helpers": HELPERS}
    for name, source in sources.items():
        (tmp_path / "services" / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType("theapp")
    module.__file__ = str(tmp_path / "app.py")
    monkeypatch.setitem(sys.modules, "theapp", module)

    def build() -> tuple[Atila, Any]:
        for name in sources:
            if name != "__init__":
                importlib.import_module(f"services.{name}")
        app = Atila("theapp")
        app.closed = []  # type: ignore[attr-defined]
        return app, importlib.import_module("services")

    yield build
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "services":
            del sys.modules[name]


Make = Callable[[], tuple[Atila, Any]]


def test_services_are_mounted_by_themselves(make: Make) -> None:
    app, _ = make()
    call = Caller(app, "/m")
    assert [call.get(f"/m/{name}").text for name in ("search", "older")] == ["search", "older"]
    assert call.get("/m/login").text == "/m/login /m/login"


def test_those_that_are_chosen(make: Make) -> None:
    app, services = make()
    app.auto_mount = False
    app.mount(services.search)
    call = Caller(app)
    assert (call.get("/search").code, call.get("/login").code) == (200, 404)


def test_a_path_and_several_modules(make: Make) -> None:
    app, services = make()
    app.auto_mount = False
    app.mount("/v2", services.auth, services.search)
    app.mount("/v3", services.older)
    call = Caller(app)
    assert call.get("/v2/login").text == "/v2/login /v2/login"
    assert [call.get(path).code for path in ("/v2/search", "/v3/older", "/search")] == [200, 200, 404]


def test_options(make: Make) -> None:
    app, services = make()
    app.mount("/regist", services.auth, ns="regist", redirect="index")
    call = Caller(app)
    assert call.get("/regist/login").text == "/regist/login /regist"
    assert call.get("/regist").text == "index"
    assert services.auth.__mntopt__ == {"ns": "regist", "redirect": "index"}
    assert app.build_url("regist.login") == "/regist/login"
    assert call.get("/login").code == 404


@pytest.mark.parametrize(("debug", "code"), [(True, 200), (False, 404)])
def test_in_debug_mode_alone(make: Make, debug: bool, code: int) -> None:
    app, services = make()
    app.auto_mount = False
    app.debug = debug
    app.mount(services.search, debug_only=True)
    assert Caller(app).get("/search").code == code


def test_an_authentication_for_all(make: Make) -> None:
    app, services = make()
    app.securekey = "secret"
    app.mount(services.search, authenticate="bearer")
    call = Caller(app)
    assert (call.get("/search").code, call.get("/older").code) == (401, 200)


def test_umount(make: Make) -> None:
    app, _ = make()
    app.mounted_at("", {})
    app._life.end()
    assert app.closed == ["auth"]  # type: ignore[attr-defined]


def test_a_module_without_anything_to_mount(make: Make) -> None:
    app, services = make()
    app.mount(services.helpers)
    with pytest.raises(MountError, match=r"services.helpers has no function __mount__"):
        app.mounted_at("", {})
    with pytest.raises(MountError, match="no Saddlery of the name 'part'"):
        app.mount("/x", services.helpers, "part")
    with pytest.raises(MountError, match="expected a module"):
        app.mount("/x")


def test_parts() -> None:
    """The older documents' form, and the order of nested hooks."""
    seen: list[str] = []
    part, sub = Saddlery(), Saddlery()
    module, sub_module = ModuleType("admin"), ModuleType("admin_sub")
    module.part, sub_module.app = part, sub  # type: ignore[attr-defined]
    part.mount("/admin/sub", sub_module, "app")
    app = Atila(__name__)
    for name, each in (("app", app), ("part", part)):
        hooks: Any = each
        hooks.before_request(lambda was, name=name: seen.append(f"{name} before"))
        hooks.finish_request(lambda was, name=name: seen.append(f"{name} finish"))
        hooks.failed_request(lambda was, exc_info, name=name: seen.append(f"{name} failed"))
        hooks.teardown_request(lambda was, name=name: seen.append(f"{name} teardown"))

    @part.route("/<name>")
    def hello(was: Any, name: str) -> str:
        seen.append("hello")
        assert was.app is app
        return was.ab("index", 1, name)  # type: ignore[no-any-return]

    @sub.route("/deep")
    def deep(was: Any) -> str:
        return "deep"

    @part.route("/")
    def fail(was: Any) -> str:
        raise LookupError

    @part.startup
    def startup(wasc: Any) -> None:
        wasc.register("loginengine", "engine")

    @part.shutdown
    def shutdown(wasc: Any) -> None:
        assert wasc.loginengine == "engine"
        wasc.unregister("loginengine")

    app.mount("/admin", module, "part")

    @app.route("/")
    def index(was: Any, num1: Any, num2: Any) -> Any:
        return was.ab("hello", "Hans Roh") + was.loginengine

    call = Caller(app)
    assert call.get("/?num1=1&num2=2").text == "/admin/Hans_Rohengine"
    seen.clear()
    assert call.get("/admin/Hans_Roh").text == "/?num1=1&num2=Hans%20Roh"
    assert seen == [
        "app before", "part before", "hello", "part finish", "part teardown", "app finish", "app teardown",
    ]  # fmt: skip
    seen.clear()
    assert call.get("/admin/").code == 500
    assert seen == [
        "app before", "part before", "part failed", "part teardown", "app failed", "app teardown",
    ]  # fmt: skip
    assert call.get("/admin/sub/deep").text == "deep"
    app._life.end()
    assert "loginengine" not in dir(app)


def test_packages() -> None:
    """The oldest form."""
    package = Package("/admin")
    package.route("/hello/<name>")(lambda was, name: name)
    module = ModuleType("sub")
    module.package = package  # type: ignore[attr-defined]
    app = Atila(__name__)
    app.add_package(module, "package")
    assert Caller(app).get("/admin/hello/Hans").text == "Hans"
