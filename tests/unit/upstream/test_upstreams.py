"""The clusters of a worker."""

from __future__ import annotations

import pytest

from skitaid.upstream import upstreams as module
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.settings import ClusterSettings, MemberSettings
from skitaid.upstream.upstreams import NoClusterError, Upstreams
from tests.unit.upstream.scene import Scene


@pytest.fixture
def upstreams(scene: Scene) -> Upstreams:
    settings = {name: ClusterSettings(name, (MemberSettings("", path=str(scene.server.path)),)) for name in ("a", "b")}
    return Upstreams(scene.engine, settings)  # type: ignore[arg-type]


def test_an_alias_has_one_cluster(upstreams: Upstreams) -> None:
    assert upstreams.cluster("a") is upstreams.cluster("a")
    assert upstreams.cluster("a") is not upstreams.cluster("b")
    assert upstreams.cluster("a").name == "a"


def test_an_alias_that_does_not_exist(upstreams: Upstreams) -> None:
    with pytest.raises(NoClusterError, match=r"there is no alias @c that speaks HTTP \(there are: @a, @b\)"):
        upstreams.cluster("c")
    with pytest.raises(KeyError):
        upstreams.cluster("c")


def test_an_origin_has_one_cluster(upstreams: Upstreams) -> None:
    plain, secure = upstreams.origin("http", "127.0.0.1", 80), upstreams.origin("https", "127.0.0.1", 443)
    assert plain is upstreams.origin("http", "127.0.0.1", 80)
    assert plain is not upstreams.origin("http", "127.0.0.1", 81)
    assert (plain.settings.tls, plain.name) == (None, "http://127.0.0.1:80")
    assert secure.settings.tls is not None
    assert secure.settings.tls.verify


def test_origins_that_nobody_calls_are_dropped(scene: Scene, upstreams: Upstreams) -> None:
    old = upstreams.origin("http", "127.0.0.1", 80)
    scene.engine.loop.now += module.ORIGIN_IDLE_S - 1
    for tick in scene.engine.on_tick:
        tick()
    assert upstreams.origin("http", "127.0.0.1", 80) is old
    scene.engine.loop.now += module.ORIGIN_IDLE_S + 1
    for tick in scene.engine.on_tick:
        tick()
    assert upstreams.origin("http", "127.0.0.1", 80) is not old


def test_there_are_not_more_origins_than_may_be(
    scene: Scene, upstreams: Upstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ORIGINS", 2)
    first = upstreams.origin("http", "127.0.0.1", 1)
    scene.engine.loop.now += 1
    second = upstreams.origin("http", "127.0.0.1", 2)
    first.members[0].in_flight = 1
    upstreams.origin("http", "127.0.0.1", 3).members[0].in_flight = 1
    assert upstreams.origin("http", "127.0.0.1", 1) is first
    with pytest.raises(UpstreamError) as raised:
        upstreams.origin("http", "127.0.0.1", 2)
    assert raised.value.failure is Failure.SATURATED
    first.members[0].in_flight = 0
    assert upstreams.origin("http", "127.0.0.1", 2) is not second
