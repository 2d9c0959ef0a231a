"""Targets for members, and redirects of theirs."""

from __future__ import annotations

import pytest

from skitaid.handlers.proxy.target import Remap
from skitaid.handlers.router import route_path
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestLine


def target(asked: bytes, mount: str = "/search", to: str | None = "/v2") -> bytes:
    return Remap(route_path(mount), to).target(RequestLine("GET", asked, 1))


@pytest.mark.parametrize(
    ("asked", "to", "expected"),
    [
        (b"/search", "/v2", b"/v2"),
        (b"/search/", "/v2", b"/v2/"),
        (b"/search/a/b?x=%20&y", "/v2", b"/v2/a/b?x=%20&y"),
        (b"/search?q", "/v2", b"/v2?q"),
        (b"/search?", "/v2", b"/v2?"),
        (b"/search/a?", "/v2", b"/v2/a?"),
        (b"/search", "/v2/", b"/v2/"),
        (b"/search/a", "/v2/", b"/v2/a"),
        (b"/search/a", None, b"/a"),
        (b"/search", None, b"/"),
        (b"/search?q", None, b"/?q"),
        (b"/search/a", "/", b"/a"),
        (b"/search/a", "/search", b"/search/a"),
        (b"/search/a", "/s%20p", b"/s%20p/a"),
        (b"/search/a", "/sp\u00e9", b"/sp%C3%A9/a"),
        (b"/search/a%2Fb%25%c3%a9+~", "/v2", b"/v2/a%2Fb%25%c3%a9+~"),
        (b"/search//a//", "/v2", b"/v2//a//"),
        (b"/%73earc%68/a%20b", "/v2", b"/v2/a%20b"),
        (b"/%73earch/a", "/search", b"/%73earch/a"),
        (b"/search%2Fa", "/v2", b"/v2/a"),
        (b"/search/a;b=..c/..d/...", "/v2", b"/v2/a;b=..c/..d/..."),
        (b"/search/a/../b", "/v2", b"/v2/a/../b"),
        (b"/search/./a/%2e%2E/b", "/v2", b"/v2/./a/%2e%2E/b"),
    ],
)
def test_a_mount_point_is_exchanged(asked: bytes, to: str | None, expected: bytes) -> None:
    assert target(asked, to=to) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(b"/a/b?c", b"/a/b?c"), (b"//a", b"//a"), (b"*", b"*"), (b"http://h:8/x/y?z", b"/x/y?z"), (b"http://h", b"/")],
)
def test_at_the_root_nothing_changes(asked: bytes, expected: bytes) -> None:
    line = RequestLine("OPTIONS", asked, 1)
    assert Remap("").target(line) == expected


@pytest.mark.parametrize(
    "asked",
    [
        b"//shop/admin", b"/./shop/admin/x", b"/shop//admin", b"/shop/./admin", b"/shop/x/../admin",
        b"/x/../shop/admin", b"/shop;a/admin", b"/shop/admin;a", b"/shop\\admin", b"/shop/%2e/%61dmin",
        b"/shop/%5Cadmin/x?q", b"/shop//admin/", b"/shop/%3bx/admin", b"http://h//shop/admin",
        b"/x//../shop/admin", b"/shop//../admin", b"/shop/;/../admin",
    ],
)  # fmt: skip
def test_no_other_way_leads_into_a_mount_below(asked: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        Remap("", deeper=("/b", "/shop/admin")).target(RequestLine("GET", asked, 1))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "asked", [b"//shop", b"/shop//a", b"/shop/administer", b"/shop/./x", b"/shop/x/admin", b"/shop?/admin"]
)
def test_other_paths_are_as_odd_as_they_like_beside_a_mount_below(asked: bytes) -> None:
    assert Remap("", deeper=("/shop/admin",)).target(RequestLine("GET", asked, 1)) == asked


def test_a_mount_point_that_is_not_ascii() -> None:
    assert target(b"/s%C3%BCche/a", mount="/s\u00fcche") == b"/v2/a"
    assert target("/s\u00fcche/a".encode(), mount="/s\u00fcche") == b"/v2/a"


@pytest.mark.parametrize("to", ["/v2", "/search", None])
@pytest.mark.parametrize(
    "rest",
    [
        b"/..", b"/../admin", b"/a/../../admin", b"/%2e%2e/admin", b"/.%2E/admin", b"/a/..//../admin", b"//../admin",
        b"/..%2fadmin", b"/a%2f..%2f..%2fadmin", b"/..\\admin", b"/a/..%5c..%5cadmin", b"/..;/admin", b"/a/..;x/..;y/b",
        b"%2F../admin", b"/./../admin", b"/a%2fb/../../admin", b"/%2e%2e%2fadmin",
    ],
)  # fmt: skip
def test_nothing_leads_out_of_a_mount(rest: bytes, to: str | None) -> None:
    with pytest.raises(ProtocolError) as caught:
        target(b"/search" + rest, to=to)
    assert caught.value.status == 400


def test_a_query_may_hold_anything() -> None:
    assert target(b"/search/a?u=/../..%2f\\") == b"/v2/a?u=/../..%2f\\"


def test_what_is_kept_is_the_same() -> None:
    remap = Remap("/search", "/v2")
    line = RequestLine("GET", b"/search/a?b", 1)
    assert remap.target(line) == remap.target(line) == b"/v2/a?b"


# ---------------------------------------------------------------- redirects

ORIGINS = (b"http://10.0.0.1:8000", b"http://10.0.0.2")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"http://10.0.0.1:8000/v2/x?y#z", b"/search/x?y#z"),
        (b"HTTP://10.0.0.2/v2", b"/search"),
        (b"http://10.0.0.2/v2?x", b"/search?x"),
        (b"http://10.0.0.2/v2x", b"http://10.0.0.2/v2x"),
        (b"http://10.0.0.2/", b"http://10.0.0.2/"),
        (b"http://10.0.0.20/v2/x", b"http://10.0.0.20/v2/x"),
        (b"https://10.0.0.2/v2/x", b"https://10.0.0.2/v2/x"),
        (b"/v2/x", b"/v2/x"),
        (b"x", b"x"),
    ],
)
def test_a_redirect_to_a_member_leads_to_the_mount(value: bytes, expected: bytes) -> None:
    assert Remap("/search", "/v2").location(value, ORIGINS) == expected


def test_a_redirect_to_a_members_root() -> None:
    assert Remap("").location(b"http://10.0.0.2", ORIGINS) == b"/"
    assert Remap("").location(b"http://10.0.0.2/a", ORIGINS) == b"/a"
    assert Remap("/search").location(b"http://10.0.0.2/a", ORIGINS) == b"/search/a"
    assert Remap("").location(b"http://10.0.0.20/a", ORIGINS) == b"http://10.0.0.20/a"
    assert Remap("").location(b"http://10.0.0.2:81/a", ORIGINS) == b"http://10.0.0.2:81/a"
