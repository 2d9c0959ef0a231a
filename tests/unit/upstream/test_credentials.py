"""What a member is told of who calls it."""

from __future__ import annotations

from skitaid.upstream.call import Call
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.settings import ClusterSettings, MemberSettings
from tests.unit.upstream.scene import Heard, Scene


def test_credentials_of_the_conf_go_before_those_of_the_call(scene: Scene) -> None:
    member = MemberSettings("", path=str(scene.server.path), authorization=b"Basic YTpi")
    cluster = Cluster(ClusterSettings("shop", (member,)), scene.context)
    cluster.request(Call("GET", b"/", [(b"authorization", b"Bearer x"), (b"accept", b"*/*")]), Heard())
    scene.engine.selector.end_batch()
    asked = scene.server.accept().heard()
    assert asked == b"GET / HTTP/1.1\r\nHost: localhost\r\naccept: */*\r\nauthorization: Basic YTpi\r\n\r\n"
    cluster.close()
