"""Connections to a member: how many, for how long, and who gets which."""

from __future__ import annotations

import pytest

from skitaid.upstream.call import CallTimeouts
from skitaid.upstream.settings import PoolSettings
from tests.unit.upstream.scene import OK, Heard, MakeScene, Peer, Scene


def answer(scene: Scene, peer: Peer) -> None:
    peer.heard()
    peer.send(OK)
    scene.turn()


def idle_connections(scene: Scene, count: int) -> list[Peer]:
    """So many connections on which nothing is in flight, in the order in which they became idle."""
    for _ in range(count):
        scene.request()
    peers = [scene.server.accept() for _ in range(count)]
    for peer in peers:
        answer(scene, peer)
    return peers


def test_the_connection_used_last_is_used_next(scene: Scene) -> None:
    first, second = idle_connections(scene, 2)
    for _ in range(3):
        scene.request()
        answer(scene, second)
    scene.request()
    scene.request()
    assert first.heard().startswith(b"GET ")


def test_there_are_not_more_than_may_be(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=2))
    heard = [scene.request(target=b"/%d" % number)[1] for number in range(5)]
    peers = [scene.server.accept(), scene.server.accept()]
    assert not scene.server.is_called
    order = [peer.heard()[:6] for peer in peers]
    for _ in range(2):
        for peer in peers:
            peer.send(OK)
            scene.turn()
            order.append(peer.heard()[:6])
    assert order == [b"GET /0", b"GET /1", b"GET /2", b"GET /3", b"GET /4", b""]
    assert [each.is_complete for each in heard] == [True, True, True, True, False]


def test_a_queue_that_is_full_takes_nobody(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1, max_waiting=1))
    scene.request()
    scene.request()
    _, heard = scene.request()
    scene.turn()
    assert heard.told == [("failure", "SATURATED")]
    assert scene.pool.waiting == 1


def test_when_a_member_has_no_room_another_is_asked(make_scene: MakeScene) -> None:
    scene = make_scene(2, pool=PoolSettings(max_connections=1, max_waiting=0))
    for _ in range(2):
        scene.request(method="POST")
    answer(scene, scene.servers[0].accept())
    for _ in range(3):
        _, heard = scene.request(method="POST")
    scene.turn()
    assert heard.failure == "SATURATED"
    assert [member.health.fails for member in scene.cluster.members] == [0, 0]


def test_connections_are_idle_for_so_long(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(keep_alive_s=10))
    first, second = idle_connections(scene, 2)
    scene.advance(9)
    scene.request()
    answer(scene, second)
    scene.advance(2)
    assert (first.is_closed, second.is_closed) == (True, False)
    scene.advance(9)
    assert second.is_closed
    assert scene.pool.open == 0


def test_a_member_that_says_how_long_it_keeps_them_is_believed(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(keep_alive_s=10))
    _, heard = scene.request()
    peer = scene.server.accept()
    peer.heard()
    peer.send(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\nContent-Length: 0\r\n\r\n")
    scene.turn()
    assert heard.is_complete
    scene.advance(3.9)
    assert not peer.is_closed
    scene.advance(0.2)
    assert peer.is_closed


@pytest.mark.parametrize("seconds", [b"0", b"1"])
def test_a_member_that_hardly_keeps_them_is_spared(scene: Scene, seconds: bytes) -> None:
    scene.request()
    peer = scene.server.accept()
    peer.heard()
    peer.send(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=" + seconds + b"\r\nContent-Length: 0\r\n\r\n")
    scene.turn()
    assert peer.is_closed


def test_a_post_takes_none_that_is_about_to_be_closed(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(keep_alive_s=10))
    old = scene.answered()
    scene.engine.loop.now += 10.5
    scene.request(method="POST")
    assert old.is_closed
    assert scene.server.accept().heard().startswith(b"POST ")


def test_no_more_are_idle_than_may_be(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_idle=1))
    first, second = idle_connections(scene, 2)
    assert (first.is_closed, second.is_closed) == (False, True)


def test_connections_live_for_so_long(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_age_s=100, keep_alive_s=200))
    peer = scene.answered()
    scene.advance(99)
    scene.request()
    answer(scene, peer)
    assert not peer.is_closed
    scene.advance(2)
    scene.request()
    answer(scene, peer)
    assert peer.is_closed


def test_without_keep_alive_none_is_kept(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(keep_alive_s=0))
    assert scene.answered().is_closed


def test_who_waits_while_the_only_connection_breaks_gets_another(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    _, broken = scene.request(method="POST")
    _, heard = scene.request()
    scene.server.accept().close()
    scene.turn()
    assert broken.failure == "RESET"
    answer(scene, scene.server.accept())
    assert heard.is_complete


def test_who_waits_for_a_member_that_is_gone_is_told_at_once(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    scene.request(method="POST")
    waiting = [scene.request(method="POST")[1] for _ in range(3)]
    peer = scene.server.accept()
    scene.server.down()
    peer.close()
    scene.turn()
    assert [heard.failure for heard in waiting] == ["UNREACHABLE"] * 3


def test_a_new_connection_beside_stale_ones_finds_room(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=2))
    _, second = idle_connections(scene, 2)
    _, heard = scene.request()
    second.close()
    scene.turn()
    answer(scene, scene.server.accept())
    assert heard.is_complete
    assert scene.pool.open == 2


def test_the_end(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=2))
    idle, busy = idle_connections(scene, 2)
    heard = [scene.request(timeouts=CallTimeouts(stall_s=5))[1] for _ in range(3)]
    scene.cluster.close()
    busy.heard()
    idle.heard()
    assert idle.is_closed and busy.is_closed
    assert scene.pool.open == 0
    assert all(each.told == [] for each in heard if isinstance(each, Heard))
