"""Members that are asked how they are."""

from __future__ import annotations

import pytest

from skitaid.upstream.health import HealthSettings, admitted
from skitaid.upstream.settings import CheckSettings
from tests.unit.upstream.scene import OK, MakeScene, Peer, Scene, Server

BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
CHECK = CheckSettings(b"/health", interval_s=5.0, timeout_s=2.0, host=b"app.test")


def checked(make_scene: MakeScene, count: int = 1, *, fails: int = 2) -> Scene:
    return make_scene(count, check=CHECK, health=HealthSettings(fails=fails))


def asked_of(server: Server) -> tuple[Peer, bytes] | None:
    """What a member was asked, and where it may answer."""
    if server.is_called:
        server.accept()
    for peer in server.peers:
        if not peer.is_closed and (asked := peer.heard()):
            return peer, asked
    return None


def pass_time(scene: Scene, seconds: float) -> None:
    """The members but the first are well meanwhile."""
    for _ in range(round(seconds * 10)):
        scene.advance(0.1)
        for server in scene.servers[1:]:
            if found := asked_of(server):
                found[0].send(OK)
                scene.turn()


def round_of(scene: Scene, answer: bytes | None = OK) -> bytes:
    """The next check of the first member: what it asked."""
    for _ in range(70):
        pass_time(scene, 0.1)
        if found := asked_of(scene.server):
            peer, asked = found
            if answer is not None:
                peer.send(answer)
                scene.turn()
            return asked
    raise AssertionError("nobody asked within an interval")


def names(scene: Scene) -> list[str]:
    welcome = admitted(scene.cluster.members, scene.engine.now)
    return [str(scene.cluster.members.index(member)) for member in welcome]


def test_a_check_is_a_get_on_a_connection_that_is_kept(make_scene: MakeScene) -> None:
    scene = checked(make_scene)
    asked = round_of(scene)
    assert asked.startswith(b"GET /health HTTP/1.1\r\nHost: app.test\r\n")
    round_of(scene)
    assert len(scene.server.peers) == 1


def test_some_bad_answers_in_a_row_and_the_member_gets_nothing_until_a_good_one(make_scene: MakeScene) -> None:
    scene = checked(make_scene, 2)
    round_of(scene, BAD)
    assert names(scene) == ["0", "1"]
    round_of(scene, BAD)
    assert names(scene) == ["1"]
    assert scene.reports == [f"@test: {scene.cluster.members[0].name} gets no calls: /health answers 503"]
    round_of(scene)
    assert names(scene) == ["0", "1"]
    assert scene.reports[1:] == [f"@test: {scene.cluster.members[0].name} is well again: /health"]


def test_a_member_that_does_not_answer_in_time_is_unwell(make_scene: MakeScene) -> None:
    scene = checked(make_scene, 2, fails=1)
    round_of(scene, None)
    pass_time(scene, 2.2)
    assert names(scene) == ["1"]
    assert "gets no calls: /health fails: " in scene.reports[0]


def test_a_member_that_is_not_there_is_unwell(make_scene: MakeScene) -> None:
    scene = checked(make_scene, 2, fails=1)
    scene.server.down()
    pass_time(scene, 6)
    assert names(scene) == ["1"]


def test_what_calls_found_is_not_forgotten_for_a_good_check(make_scene: MakeScene) -> None:
    scene = checked(make_scene)
    health = scene.cluster.members[0].health
    health.failed(scene.engine.now)
    round_of(scene)
    assert health.fails == 1
    assert health.failed(scene.engine.now)


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_what_is_well(make_scene: MakeScene, status: int) -> None:
    scene = checked(make_scene, fails=1)
    round_of(scene, b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    assert scene.reports == []


@pytest.mark.parametrize("status", [400, 404, 500, 999])
def test_what_is_not(make_scene: MakeScene, status: int) -> None:
    scene = checked(make_scene, fails=1)
    round_of(scene, b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    assert len(scene.reports) == 1


def test_an_answer_without_end_is_judged_by_its_head(make_scene: MakeScene) -> None:
    scene = checked(make_scene, fails=1)
    round_of(scene, b"HTTP/1.1 503 X\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    assert scene.reports[0].endswith("/health answers 503")
    assert scene.server.peers[0].is_closed
    assert scene.cluster.in_flight == 0


def test_after_the_end_nobody_is_asked(make_scene: MakeScene) -> None:
    scene = checked(make_scene)
    scene.cluster.close()
    scene.advance(6)
    assert not scene.server.is_called


def test_workers_do_not_ask_in_step(make_scene: MakeScene) -> None:
    scene = checked(make_scene, 20)
    scene.advance(2.5)
    assert 0 < sum(server.is_called for server in scene.servers) < 20
