from __future__ import annotations

import pytest

from skitaid.handlers import router as router_module
from skitaid.handlers.router import HostTable, Route, RouteKind, Router, route_path

PROXY, STATIC, WEBSOCKET, APP = RouteKind.PROXY, RouteKind.STATIC, RouteKind.WEBSOCKET, RouteKind.APP


def table_of(*mounts: tuple[str, RouteKind], names: tuple[str, ...] = ()) -> HostTable:
    return HostTable(names, [Route(path, kind) for path, kind in mounts])


def tried(table: HostTable, path: str) -> list[tuple[str, RouteKind]]:
    """What is tried for `path`, asked twice: the second answer comes from what was kept."""
    first = table.match(path)
    assert table.match(path) == first
    return [(route.path, route.kind) for route in first]


# ---------------------------------------------------------------- mount points


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/", ""),
        ("/x", ""),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/x", "/a"),
        ("/ab", ""),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b"),
        ("/a/b/c/d", "/a/b"),
        ("/a/bc", "/a"),
        ("/A", ""),
        ("//a", ""),
        ("/a//b", "/a"),
        ("/x/a/b", ""),
        ("/\xe4/\xe4", "/\xe4"),
    ],
)
def test_the_longest_mount_point_wins(path: str, mount: str) -> None:
    table = table_of(("", APP), ("/a", APP), ("/a/b", APP), ("/\xe4", APP))
    assert tried(table, path) == [(mount, APP)]


def test_nothing_is_mounted_above_the_only_mount_point() -> None:
    table = table_of(("/a/b", APP))
    assert tried(table, "/a/b/c") == [("/a/b", APP)]
    for path in ("/", "/a", "/a/", "/a/c", "/a/bc"):
        assert tried(table, path) == []


@pytest.mark.parametrize("path", ["*", "", "a.example:443"])
def test_a_target_that_is_no_path_lies_under_no_mount_point(path: str) -> None:
    """OPTIONS * and CONNECT (RFC 9112 section 3.2) are not for the app at the root."""
    assert tried(table_of(("", APP)), path) == []


# ---------------------------------------------------------------- order of service


@pytest.mark.parametrize(
    ("mounted", "order"),
    [
        ([APP, WEBSOCKET, STATIC, PROXY], [PROXY]),
        ([APP, WEBSOCKET, STATIC], [STATIC, WEBSOCKET, APP]),
        ([APP, STATIC], [STATIC, APP]),
        ([WEBSOCKET, STATIC], [STATIC, WEBSOCKET]),
        ([STATIC, STATIC], [STATIC, STATIC]),
        ([APP, APP], [APP]),
    ],
)
def test_the_order_at_one_mount_point(mounted: list[RouteKind], order: list[RouteKind]) -> None:
    """Proxy, static, websocket, app; nothing comes behind what always answers."""
    table = table_of(*(("/m", kind) for kind in mounted))
    assert tried(table, "/m/x") == [("/m", kind) for kind in order]


def test_of_two_alike_the_first_written_is_tried_first() -> None:
    first, second = Route("/s", STATIC), Route("/s", STATIC)
    assert HostTable((), [first, second]).match("/s/x") == (first, second)


def test_a_missing_file_falls_through_to_the_app_at_a_shorter_mount_point() -> None:
    table = table_of(("", APP), ("/a", STATIC), ("/a/b", STATIC))
    assert tried(table, "/a/b/x") == [("/a/b", STATIC), ("", APP)]
    assert tried(table, "/a/x") == [("/a", STATIC), ("", APP)]


def test_it_falls_through_to_the_nearest_app_only() -> None:
    table = table_of(("", APP), ("/a", APP), ("/a/b", STATIC))
    assert tried(table, "/a/b/x") == [("/a/b", STATIC), ("/a", APP)]


def test_it_falls_through_to_nothing_but_an_app() -> None:
    """Neither the files, nor the proxy, nor the websockets of a shorter mount point stand in."""
    table = table_of(("", STATIC), ("", APP), ("/a", PROXY), ("/a/b", WEBSOCKET), ("/a/b/c", STATIC))
    assert tried(table, "/a/b/c/x") == [("/a/b/c", STATIC), ("", APP)]
    assert tried(table_of(("", STATIC), ("/a", STATIC)), "/a/x") == [("/a", STATIC)]


def test_an_app_hides_what_is_mounted_above_it() -> None:
    table = table_of(("", STATIC), ("", APP), ("/a", APP))
    assert tried(table, "/a/x") == [("/a", APP)]


# ---------------------------------------------------------------- hosts

DEFAULT = table_of(("", APP))
EXACT = table_of(("", APP), names=("www.example.com", "example.com"))
BELOW = table_of(("", APP), names=(".example.com",))
DEEPER = table_of(("", APP), names=(".dev.example.com",))
ADDRESS = table_of(("", APP), names=("127.0.0.1", "[::1]"))
ROUTER = Router([DEFAULT, EXACT, BELOW, DEEPER, ADDRESS])


@pytest.mark.parametrize(
    ("host", "table"),
    [
        (b"www.example.com", EXACT),
        (b"WWW.Example.COM", EXACT),
        (b"www.example.com:8080", EXACT),
        (b"www.example.com.", EXACT),
        (b"www.example.com.:8080", EXACT),
        (b"example.com", EXACT),
        (b"a.example.com", BELOW),
        (b"a.b.example.com", BELOW),
        (b"dev.example.com", DEEPER),
        (b"a.dev.example.com", DEEPER),
        (b"badexample.com", DEFAULT),
        (b"example.com.evil.org", DEFAULT),
        (b"com", DEFAULT),
        (b"", DEFAULT),
        (b":80", DEFAULT),
        (b"127.0.0.1:5000", ADDRESS),
        (b"[::1]", ADDRESS),
        (b"[::1]:5000", ADDRESS),
        (b"[::2]:5000", DEFAULT),
        (b"\xff", DEFAULT),
    ],
)
def test_which_block_answers_for_a_host(host: bytes, table: HostTable) -> None:
    assert ROUTER.table(host) is table
    assert ROUTER.match(host, "/x") == table.match("/x")
    assert ROUTER.match(host, "/x") == table.match("/x")


def test_hosts_that_a_block_names() -> None:
    router = Router([HostTable((), []), HostTable(("www.a.org", ".b.org"), [])])
    assert all(router.has_name(host) for host in (b"www.a.org:80", b"WWW.A.org.", b"x.b.org", b"b.org"))
    assert not any(router.has_name(host) for host in (b"a.org", b"", b"www.a.orgx"))
    assert not Router([HostTable((), [])]).has_name(b"a.org")


def test_a_domain_stands_for_itself_too() -> None:
    assert Router([DEFAULT, BELOW]).table(b"example.com") is BELOW


def test_without_a_default_block_other_hosts_get_nothing() -> None:
    router = Router([EXACT])
    assert router.table(b"other.example.org") is None
    assert router.match(b"other.example.org", "/") == ()
    assert Router([]).match(b"", "/") == ()


def test_of_two_blocks_for_one_name_the_first_answers() -> None:
    again, other_default = table_of(("", APP), names=("example.com", ".example.com")), table_of(("", APP))
    router = Router([*ROUTER.tables, again, other_default])
    assert router.table(b"example.com") is EXACT
    assert router.table(b"a.example.com") is BELOW
    assert router.table(b"x") is DEFAULT


@pytest.mark.parametrize(
    ("mounted", "path"),
    [("/", ""), ("/shop", "/shop"), ("/käse", "/k\xc3\xa4se"), ("/店", "/\xe5\xba\x97")],
)
def test_mount_points_are_compared_as_the_bytes_they_are_asked_for_by(mounted: str, path: str) -> None:
    assert route_path(mounted) == path
    table = table_of((route_path(mounted), APP))
    asked = f"{mounted.rstrip('/')}/x".encode().decode("latin-1")
    assert [route.path for route in table.match(asked)] == [path]


# ---------------------------------------------------------------- what is kept


def test_floods_of_paths_and_hosts_do_not_grow_the_tables() -> None:
    table = table_of(("", APP))
    router = Router([table])
    for number in range(2 * router_module._MAX_KEPT):
        router.match(b"h%d" % number, f"/{number}")
        router.match(b"h" * 300, "/" + "x" * 300)
    assert len(table._kept) <= router_module._MAX_KEPT
    assert len(router._kept) <= router_module._MAX_KEPT
    assert max(map(len, table._kept)) <= router_module._MAX_KEPT_CHARS
    assert max(map(len, router._kept)) <= router_module._MAX_KEPT_CHARS
