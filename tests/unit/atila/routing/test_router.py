"""The router: which route answers, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.atila.routing.patterns import parse
from skitaid.atila.routing.router import Missing, Router
from skitaid.atila.routing.routes import Route, RouteOptions, methods_of


def make(*rules: str, methods: Any = None, lack: bool = False) -> Router:
    router = Router()
    for rule in rules:
        options = RouteOptions(methods=methods_of(methods))
        router.add(Route(parse(rule), print, rule, options, may_lack_last=lack))
    return router


def found(router: Router, path: str, method: str = "GET") -> tuple[str, dict[str, Any]] | None:
    match = router.find(path, method)
    return None if isinstance(match, Missing) else (match[0].name, match[1])


RULES = (
    "/", "/users", "/users/<int:id>", "/users/<float:x>", "/users/<name>", "/users/all", "/users/<int:id>/pets/<name>",
    "/files/<path:path>", "/r-<int:n>", "/<page>",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ("/", {})),
        ("/users", ("/users", {})),
        ("/users/all", ("/users/all", {})),
        ("/users/3", ("/users/<int:id>", {"id": 3})),
        ("/users/me", ("/users/<int:id>", {"id": "me"})),
        ("/users/3.5", ("/users/<float:x>", {"x": 3.5})),
        ("/users/Hans_Roh", ("/users/<name>", {"name": "Hans Roh"})),
        ("/users/3/pets/rex", ("/users/<int:id>/pets/<name>", {"id": 3, "name": "rex"})),
        ("/files/a/b/c.txt", ("/files/<path:path>", {"path": "a/b/c.txt"})),
        ("/files/" + "d/" * 200 + "f", ("/files/<path:path>", {"path": "d/" * 200 + "f"})),
        ("/files/", None),
        ("/r-12", ("/r-<int:n>", {"n": 12})),
        ("/r-x", ("/<page>", {"page": "r-x"})),
        ("/about", ("/<page>", {"page": "about"})),
        ("/users/3/pets", None),
        ("/users/", None),
        ("//", None),
        ("", None),
        ("/a/b/c", None),
    ],
)
def test_the_most_exact_route_answers(path: str, expected: Any) -> None:
    assert found(make(*RULES), path) == expected


def test_the_last_value_may_be_lacking() -> None:
    router = make("/episode/<int:id>", lack=True)
    assert found(router, "/episode") == ("/episode/<int:id>", {})
    assert found(router, "/episode/") == ("/episode/<int:id>", {})
    assert found(router, "/episode/7") == ("/episode/<int:id>", {"id": 7})


def test_a_value_alone_at_the_root_may_not() -> None:
    assert found(make("/<int:id>", lack=True), "/") is None


def test_the_rest_of_a_path_may_be_empty_at_the_root() -> None:
    assert found(make("/<path:path>", lack=True), "/") == ("/<path:path>", {"path": ""})


def test_methods() -> None:
    router = make("/a", "/b/<int:x>", methods=["GET", "POST"])
    assert found(router, "/a", "HEAD") == ("/a", {})
    assert found(router, "/b/1", "POST") == ("/b/<int:x>", {"x": 1})
    missing = router.find("/b/1", "DELETE")
    assert isinstance(missing, Missing)
    assert set(missing.allow) == {"GET", "HEAD", "POST"}
    assert router.allowed("/b/1") == ("GET", "HEAD", "POST")


def test_two_functions_share_a_path_by_their_methods() -> None:
    router = Router()
    for name, methods in (("read", ["GET"]), ("write", ["POST"])):
        router.add(Route(parse("/<int:id>"), print, name, RouteOptions(methods=methods_of(methods))))
    assert found(router, "/1", "GET") == ("read", {"id": 1})
    assert found(router, "/1", "POST") == ("write", {"id": 1})


def test_a_less_exact_route_takes_the_other_methods() -> None:
    router = Router()
    router.add(Route(parse("/new"), print, "form", RouteOptions(methods=methods_of("GET"))))
    router.add(Route(parse("/<name>"), print, "any", RouteOptions()))
    assert found(router, "/new", "GET") == ("form", {})
    assert found(router, "/new", "POST") == ("any", {"name": "new"})


@pytest.mark.parametrize(
    ("rule", "path", "is_folder"),
    [("/docs/", "/docs", True), ("/", "", True), ("/a/<x>/", "/a/b", True), ("/docs", "/docs/", False)],
)
def test_a_slash_that_is_missing(rule: str, path: str, is_folder: bool) -> None:
    assert make(rule).find(path, "GET") == Missing(folder=is_folder)


class Counting(str):
    """A path that counts how often it is hashed."""

    hashed = 0
    __slots__ = ()

    def __hash__(self) -> int:
        Counting.hashed += 1
        return super().__hash__()

    __eq__ = str.__eq__


def test_no_look_at_every_route() -> None:
    """Ten thousand routes are found by as many steps as ten."""
    steps = []
    for count in (10, 10_000):
        router = make(*(f"/static/{number}" for number in range(count)), *(f"/v{n}/<int:id>/x" for n in range(count)))
        Counting.hashed = 0
        assert found(router, Counting(f"/static/{count - 1}")) is not None
        steps.append(Counting.hashed)
        assert len(router._root.literals) == count
        assert len(list(router._walk(router._root, ["", "v3", "5", "x"], 1, ()))) == 1
    assert steps[0] == steps[1]
