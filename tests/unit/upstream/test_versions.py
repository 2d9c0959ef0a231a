"""Which HTTP is spoken with a member in the clear."""

from __future__ import annotations

import pytest

from skitaid.upstream.settings import HttpVersion, PoolSettings
from tests.unit.upstream.scene import MakeScene


@pytest.mark.parametrize(
    ("version", "parts", "expected"),
    [
        (HttpVersion.HTTP1, {}, b"GET / HTTP/1.1\r\n"),
        (HttpVersion.ANY, {}, b"GET / HTTP/1.1\r\n"),
        (HttpVersion.HTTP2, {}, b"PRI * HTTP/2.0\r\n"),
        (HttpVersion.HTTP2, {"upgrade": b"websocket"}, b"GET / HTTP/1.1\r\n"),
        (HttpVersion.HTTP2, {"method": "CONNECT", "target": b"a:1"}, b"CONNECT a:1 HTTP/1.1\r\n"),
    ],
)
def test_what_is_spoken(make_scene: MakeScene, version: HttpVersion, parts: dict[str, object], expected: bytes) -> None:
    scene = make_scene(version=version)
    scene.request(**parts)
    assert scene.server.accept().heard().startswith(expected)


def test_calls_wait_for_one_connection_where_it_may_be_enough(make_scene: MakeScene) -> None:
    scene = make_scene(version=HttpVersion.HTTP2)
    for _ in range(20):
        scene.request()
    scene.server.accept()
    assert not scene.server.is_called


def test_a_member_that_says_nothing_keeps_nobody_waiting_for_ever(make_scene: MakeScene) -> None:
    """It never tells how many calls it takes."""
    scene = make_scene(version=HttpVersion.HTTP2, pool=PoolSettings(wait_s=5.0))
    heard = [scene.request()[1] for _ in range(3)]
    scene.server.accept()
    scene.advance(6)
    assert [one.failure for one in heard] == [None, "SATURATED", "SATURATED"]
    scene.advance(30)
    assert heard[0].failure == "READ_TIMEOUT"
    assert scene.cluster.in_flight == 0
    assert scene.cluster.members[0].pool.open == 0


def test_nobody_waits_for_a_connection_that_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene(version=HttpVersion.HTTP2)
    scene.server.down()
    heard = [scene.request()[1] for _ in range(3)]
    scene.turn()
    assert [one.failure for one in heard] == ["UNREACHABLE"] * 3
