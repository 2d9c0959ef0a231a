"""Calls on their way: from member to member, once at most where twice would be wrong."""

from __future__ import annotations

import gc
import weakref

import pytest

from skitaid.engine.poller import READ
from skitaid.protocols.http1.request import RequestError
from skitaid.upstream.call import Call, CallTimeouts
from skitaid.upstream.clients.http1 import Http1Connection
from skitaid.upstream.health import HealthSettings, State
from skitaid.upstream.settings import PoolSettings
from tests.unit.upstream.scene import OK, Heard, MakeScene, Scene


def test_a_call_and_its_answer(scene: Scene) -> None:
    exchange, heard = scene.request(fields=((b"accept", b"*/*"),), lines=b"x-more: 1\r\n")
    peer = scene.server.accept()
    assert peer.heard() == b"GET / HTTP/1.1\r\nHost: localhost\r\naccept: */*\r\nx-more: 1\r\n\r\n"
    peer.send(OK)
    scene.turn()
    assert heard.told == [("response", 200), "data", "end"]
    assert (heard.body, exchange.member) == (b"ok", scene.cluster.members[0].name)
    assert scene.cluster.in_flight == 0


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"method": "HEAD", "host": b"a.b:8"}, b"HEAD / HTTP/1.1\r\nHost: a.b:8\r\n\r\n"),
        ({"method": "POST", "body": b"x"}, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"),
        ({"method": "POST"}, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        (
            {"upgrade": b"websocket"},
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        ),
    ],
)
def test_requests_on_the_wire(scene: Scene, parts: dict[str, object], expected: bytes) -> None:
    scene.request(**parts)
    assert scene.server.accept().heard() == expected


def test_what_can_not_be_sent_is_refused_at_once(scene: Scene) -> None:
    with pytest.raises(RequestError):
        scene.request(target=b"/ HTTP/1.1\r\nX: y")
    with pytest.raises(RequestError):
        scene.request(fields=((b"x", b"a\r\nb"),))
    assert scene.cluster.in_flight == 0
    assert not scene.server.is_called


def test_pieces_are_told_as_they_come(scene: Scene) -> None:
    _, heard = scene.request()
    peer = scene.server.accept()
    peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    scene.turn()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    scene.turn()
    peer.send(b"1\r\nc\r\n0\r\nx-sum: 3\r\n\r\n")
    scene.turn()
    assert heard.told == [
        ("information", 103), "flush", ("response", 200), "data", "flush", "data", ("end", ((b"x-sum", b"3"),)),
    ]  # fmt: skip
    assert heard.body == b"abc"


# ---------------------------------------------------------------- connections that serve again


def test_a_connection_serves_again(scene: Scene) -> None:
    peer = scene.answered()
    _, heard = scene.request()
    assert peer.heard().startswith(b"GET / ")
    peer.send(OK)
    scene.turn()
    assert heard.is_complete
    assert not scene.server.is_called


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + b"HTTP/1.1 200 OK\r\n",
        OK + b"x",
    ],
)
def test_a_connection_that_is_over_or_says_too_much_does_not(scene: Scene, answer: bytes) -> None:
    _, heard = scene.request()
    peer = scene.server.accept()
    peer.heard()
    peer.send(answer)
    scene.turn()
    assert heard.is_complete
    assert peer.is_closed


def test_an_idle_connection_that_says_something_is_dropped(scene: Scene) -> None:
    peer = scene.answered()
    peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    scene.turn()
    assert peer.is_closed
    scene.request()
    assert scene.server.accept().heard().startswith(b"GET / ")


def test_an_idle_connection_that_is_closed_is_forgotten(scene: Scene) -> None:
    scene.answered().close()
    scene.turn()
    assert scene.pool.open == 0
    scene.request()
    assert scene.server.accept().heard().startswith(b"GET / ")


def test_a_get_on_a_connection_that_turns_out_to_be_closed_is_made_again(scene: Scene) -> None:
    scene.answered().close()
    _, heard = scene.request()
    scene.turn()
    second = scene.server.accept()
    assert second.heard().startswith(b"GET / ")
    second.send(OK)
    scene.turn()
    assert heard.is_complete
    assert scene.cluster.members[0].health.fails == 0


def test_so_is_a_get_whose_connection_is_closed_after_it_was_sent(scene: Scene) -> None:
    first = scene.answered()
    _, heard = scene.request()
    assert first.heard()
    first.close()
    scene.turn()
    second = scene.server.accept()
    second.send(OK)
    scene.turn()
    assert heard.is_complete


def test_a_post_on_a_connection_that_turns_out_to_be_closed_goes_to_a_new_one(scene: Scene) -> None:
    scene.answered().close()
    _, heard = scene.request(method="POST", body=b"once")
    scene.turn()
    second = scene.server.accept()
    assert second.heard().endswith(b"once")
    second.send(OK)
    scene.turn()
    assert heard.is_complete


@pytest.mark.parametrize("count", [1, 2])
def test_a_post_that_was_sent_is_not_made_again(make_scene: MakeScene, count: int) -> None:
    scene = make_scene(count)
    _, heard = scene.request()
    first = scene.server.accept()
    first.send(OK)
    scene.turn()
    if count == 2:
        scene.servers[1].down()
    _, heard = scene.request(method="POST", body=b"once")
    if count == 2:
        # the other member refused it; that is no reason to be less careful with this one
        scene.turn()
    assert first.heard().endswith(b"once")
    first.close()
    scene.turn()
    assert heard.told == [("failure", "RESET")]
    assert not any(server.is_called for server in scene.servers)


def test_a_post_that_may_be_executed_twice_is_made_again(make_scene: MakeScene) -> None:
    scene = make_scene(2)
    _, heard = scene.request(method="POST", body=b"twice", is_idempotent=True)
    scene.servers[0].accept().close()
    scene.turn()
    second = scene.servers[1].accept()
    assert second.heard().endswith(b"twice")
    second.send(OK)
    scene.turn()
    assert heard.is_complete


# ---------------------------------------------------------------- from member to member


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_member_that_refuses_is_passed_over(make_scene: MakeScene, method: str) -> None:
    scene = make_scene(2)
    scene.servers[0].down()
    exchange, heard = scene.request(method=method)
    assert exchange.member == scene.cluster.members[1].name
    scene.servers[1].accept().send(OK)
    scene.turn()
    assert heard.is_complete
    assert scene.cluster.members[0].health.fails == 1


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nConte", b"what?\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_a_get_without_an_answer_goes_to_the_next_member(make_scene: MakeScene, answer: bytes) -> None:
    scene = make_scene(2)
    _, heard = scene.request()
    first = scene.servers[0].accept()
    first.send(answer)
    scene.turn()
    first.close()
    scene.turn()
    scene.servers[1].accept().send(OK)
    scene.turn()
    assert heard.told == [("response", 200), "data", "end"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", [("response", 200), "data", "flush"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", [("response", 200), "flush"]),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [("response", 200), "flush"]),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", [("information", 103), "flush"]),
    ],
)
def test_what_the_receiver_heard_of_is_not_begun_again(
    make_scene: MakeScene, answer: bytes, told: list[object]
) -> None:
    scene = make_scene(2)
    _, heard = scene.request()
    first = scene.servers[0].accept()
    first.send(answer)
    scene.turn()
    first.close()
    scene.turn()
    assert heard.told == [*told, ("failure", "TRUNCATED")]
    assert not scene.servers[1].is_called


def test_a_bad_chunk_in_the_middle_is_a_failure(scene: Scene) -> None:
    _, heard = scene.request()
    scene.server.accept().send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n")
    scene.turn()
    assert heard.told[-1] == ("failure", "INVALID")


def test_each_member_is_tried_once_and_so_many_at_most(make_scene: MakeScene) -> None:
    scene = make_scene(5, tries=3)
    for server in scene.servers:
        server.down()
    _, heard = scene.request()
    scene.turn()
    assert heard.told == [("failure", "UNREACHABLE")]
    assert [member.health.fails for member in scene.cluster.members] == [1, 1, 1, 0, 0]


def test_a_failure_is_not_told_before_the_caller_has_the_exchange(make_scene: MakeScene) -> None:
    scene = make_scene(1)
    scene.server.down()
    exchange, heard = scene.request()
    assert heard.told == []
    scene.turn()
    assert heard.told == [("failure", "UNREACHABLE")]
    exchange.cancel()
    exchange, heard = scene.request()
    exchange.cancel()
    scene.turn()
    assert heard.told == []


def test_no_member(make_scene: MakeScene) -> None:
    scene = make_scene(0)
    _, heard = scene.request()
    scene.turn()
    assert heard.told == [("failure", "NO_MEMBER")]


def test_members_that_fail_are_left_alone_and_come_back(make_scene: MakeScene) -> None:
    scene = make_scene(2, health=HealthSettings(fails=2, first_s=1.0))
    scene.servers[0].down()
    for _ in range(4):
        scene.request()
    assert scene.cluster.members[0].health.state is State.EJECTED
    assert len(scene.reports) == 1
    assert "left alone" in scene.reports[0]
    calls = [scene.request() for _ in range(4)]
    assert {exchange.member for exchange, _ in calls} == {scene.cluster.members[1].name}
    scene.servers[0].up()
    scene.advance(1.2)
    probes = [scene.request()[0].member for _ in range(4)]
    assert probes.count(scene.cluster.members[0].name) == 1
    scene.servers[0].accept().send(OK)
    scene.turn()
    assert scene.cluster.members[0].health.state is State.UP
    assert scene.reports[1] == f"@test: {scene.cluster.members[0].name} is back"


def test_a_probe_that_is_answered_at_length_brings_the_member_back_at_once(make_scene: MakeScene) -> None:
    scene = make_scene(1, health=HealthSettings(fails=1))
    scene.server.down()
    scene.request()
    scene.server.up()
    scene.advance(2)
    scene.request()
    scene.server.accept().send(b"HTTP/1.1 200 OK\r\n\r\nand so on")
    scene.turn()
    assert scene.cluster.members[0].health.state is State.UP


def test_a_probe_that_is_cancelled_lets_another_go(make_scene: MakeScene) -> None:
    scene = make_scene(2, health=HealthSettings(fails=1))
    scene.servers[0].down()
    scene.request()
    scene.servers[0].up()
    scene.advance(2)
    exchanges = [scene.request()[0] for _ in range(3)]
    probe = next(each for each in exchanges if each.member == scene.cluster.members[0].name)
    probe.cancel()
    assert scene.cluster.members[0].name in {scene.request()[0].member for _ in range(3)}


def test_an_answer_that_is_an_error_is_an_answer(scene: Scene) -> None:
    for _ in range(5):
        _, heard = scene.request()
        scene.server.accept().send(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        scene.turn()
        assert heard.told == [("response", 503), "end"]
    assert scene.cluster.members[0].health.fails == 0


def test_the_same_call_to_every_member(make_scene: MakeScene) -> None:
    scene = make_scene(3, health=HealthSettings(fails=1))
    scene.servers[1].down()
    receivers = [Heard() for _ in range(3)]
    exchanges = scene.cluster.request_all(Call("GET", b"/all"), receivers)
    scene.engine.selector.end_batch()
    assert [exchange.member for exchange in exchanges] == [member.name for member in scene.cluster.members]
    for number in (0, 2):
        peer = scene.servers[number].accept()
        assert peer.heard().startswith(b"GET /all ")
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
    scene.turn()
    assert [receiver.body for receiver in receivers] == [b"0", b"", b"2"]
    assert receivers[1].failure == "UNREACHABLE"
    with pytest.raises(ValueError, match="zip"):
        scene.cluster.request_all(Call("GET", b"/"), receivers[:2])


# ---------------------------------------------------------------- time


QUICK = CallTimeouts(connect_s=1.0, stall_s=2.0, total_s=0.0)


def test_a_member_that_says_nothing(make_scene: MakeScene) -> None:
    scene = make_scene(2)
    _, heard = scene.request(timeouts=QUICK)
    silent = scene.servers[0].accept()
    scene.advance(1.9)
    assert heard.told == []
    scene.advance(0.3)
    assert silent.heard().startswith(b"GET")
    assert silent.is_closed
    scene.servers[1].accept().send(OK)
    scene.turn()
    assert heard.is_complete
    assert scene.cluster.members[0].health.fails == 1


def test_a_post_is_not_made_again_after_a_timeout(make_scene: MakeScene) -> None:
    scene = make_scene(2)
    _, heard = scene.request(method="POST", timeouts=QUICK)
    scene.advance(2.2)
    assert heard.told == [("failure", "READ_TIMEOUT")]
    assert not scene.servers[1].is_called


def test_a_member_that_drips_is_in_time_until_all_of_it_is_up(scene: Scene) -> None:
    timeouts = CallTimeouts(stall_s=2.0, total_s=10.0)
    _, heard = scene.request(timeouts=timeouts)
    peer = scene.server.accept()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(9):
        peer.send(b".")
        scene.advance(1.0)
    assert heard.told[-1] == "flush"
    peer.send(b".")
    scene.advance(1.2)
    assert heard.failure == "TOTAL_TIMEOUT"
    peer.heard()
    assert peer.is_closed


def test_whoever_pauses_waits_without_limit(scene: Scene) -> None:
    exchange, heard = scene.request(timeouts=QUICK)
    peer = scene.server.accept()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    scene.turn()
    exchange.pause()
    peer.send(b"data")
    scene.advance(60)
    assert heard.told == [("response", 200), "flush"]
    exchange.resume()
    scene.turn()
    assert heard.is_complete


def test_after_a_pause_the_members_time_begins_anew(scene: Scene) -> None:
    exchange, heard = scene.request(timeouts=QUICK)
    scene.server.accept().send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    scene.turn()
    exchange.pause()
    scene.advance(60)
    exchange.resume()
    scene.advance(1.5)
    assert heard.error is None
    scene.advance(1)
    assert heard.failure == "READ_TIMEOUT"


def test_what_came_before_a_hang_up_is_heard_after_a_pause(scene: Scene) -> None:
    exchange, heard = scene.request()
    peer = scene.server.accept()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    scene.turn()
    exchange.pause()
    peer.send(b"all of it")
    peer.heard()
    peer.close()
    scene.turn(20)
    exchange.resume()
    scene.turn()
    assert (heard.body, heard.is_complete) == (b"all of it", True)


def test_a_caller_who_is_slow_to_send_is_waited_for(scene: Scene) -> None:
    exchange, heard = scene.request(method="PUT", body=None, timeouts=QUICK)
    scene.advance(60)
    assert heard.error is None
    exchange.end()
    scene.advance(1.5)
    assert heard.error is None
    scene.advance(1)
    assert heard.failure == "READ_TIMEOUT"


def test_a_member_that_takes_a_long_body_slowly_is_waited_for(scene: Scene) -> None:
    _, heard = scene.request(method="PUT", body=b"x" * (1 << 24), timeouts=QUICK)
    peer = scene.server.accept()
    taken = 0
    for _ in range(10):
        scene.advance(1.0)
        taken += len(peer.heard())
    assert 0 < taken < 1 << 24
    assert heard.told == []
    scene.advance(4.0)
    assert heard.failure == "READ_TIMEOUT"


def test_a_call_that_waits_for_others_has_a_limit(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1, wait_s=3.0))
    scene.request()
    _, heard = scene.request()
    scene.advance(2.5)
    assert heard.error is None
    scene.advance(1)
    assert heard.failure == "SATURATED"
    assert scene.cluster.members[0].health.fails == 0


def test_the_total_time_counts_while_waiting_too(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    scene.request()
    _, heard = scene.request(timeouts=CallTimeouts(total_s=1.0))
    scene.advance(1.2)
    assert heard.failure == "TOTAL_TIMEOUT"
    assert scene.cluster.members[0].health.fails == 0
    assert scene.pool.waiting == 0


def test_nothing_is_looked_at_while_nothing_is_under_way(scene: Scene) -> None:
    scene.answered()
    scene.advance(0.5)
    assert scene.engine.loop.next_at is None


# ---------------------------------------------------------------- bodies that come in pieces


def test_a_body_in_pieces(scene: Scene) -> None:
    exchange, heard = scene.request(method="PUT", body=None)
    peer = scene.server.accept()
    assert exchange.send(b"abc")
    exchange.end([(b"x-sum", b"3")])
    head, _, body = peer.heard().partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n"
    peer.send(OK)
    scene.turn()
    assert heard.is_complete
    assert not peer.is_closed


def test_pieces_that_come_before_the_connection_wait_for_it(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    first = scene.answered()
    scene.request()
    exchange, heard = scene.request(method="POST", body=None, content_length=4)
    assert not exchange.send(b"ab")
    assert heard.told == []
    first.send(OK)
    scene.turn()
    assert heard.told == ["writable"]
    assert exchange.send(b"cd")
    exchange.end()
    assert first.heard().endswith(b"Content-Length: 4\r\n\r\nabcd")


def test_a_whole_body_that_comes_before_the_connection(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    scene.request()
    exchange, _ = scene.request(method="POST", body=None)
    exchange.send(b"ab")
    exchange.end()
    peer = scene.server.accept()
    peer.heard()
    peer.send(OK)
    scene.turn()
    assert peer.heard().endswith(b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")


def test_back_pressure(scene: Scene) -> None:
    exchange, heard = scene.request(method="PUT", body=None)
    peer = scene.server.accept()
    sent = 0
    while exchange.send(b"x" * 65536):
        sent += 65536
        assert sent < 1 << 24
    assert scene.cluster.members[0].in_flight == 1
    peer.heard()
    while "writable" not in heard.told:
        scene.turn()
        peer.heard()
    assert exchange.send(b"x")


@pytest.mark.parametrize("data", [b"abc", b"a"])
def test_a_body_of_another_length_than_promised(scene: Scene, data: bytes) -> None:
    exchange, heard = scene.request(method="PUT", body=None, content_length=2)
    peer = scene.server.accept()
    exchange.send(data)
    exchange.end()
    assert heard.failure == "CANCELLED"
    peer.heard()
    assert peer.is_closed
    assert scene.cluster.members[0].health.fails == 0


def test_a_body_in_pieces_goes_to_the_next_member_while_it_is_whole(make_scene: MakeScene) -> None:
    scene = make_scene(2)
    scene.servers[0].down()
    exchange, _ = scene.request(method="POST", body=None)
    exchange.send(b"ab")
    exchange.end()
    assert scene.servers[1].accept().heard().endswith(b"2\r\nab\r\n0\r\n\r\n")


def test_a_put_whose_pieces_are_gone_is_not_made_again(make_scene: MakeScene) -> None:
    scene = make_scene(2)
    exchange, heard = scene.request(method="PUT", body=None)
    exchange.send(b"ab")
    exchange.end()
    scene.servers[0].accept().close()
    scene.turn()
    assert heard.told == [("failure", "RESET")]
    assert not scene.servers[1].is_called


def test_an_answer_before_the_end_of_the_body(scene: Scene) -> None:
    exchange, heard = scene.request(method="POST", body=None)
    exchange.send(b"ab")
    peer = scene.server.accept()
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    scene.turn()
    assert heard.told == [("response", 413), "end"]
    assert exchange.send(b"more")
    exchange.end()
    peer.heard()
    assert peer.is_closed


def test_an_answer_is_heard_from_a_member_that_takes_no_more(scene: Scene) -> None:
    exchange, heard = scene.request(method="POST", body=None)
    peer = scene.server.accept()
    peer.heard()
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    peer.close()
    exchange.send(b"more")
    exchange.end()
    scene.turn()
    assert heard.told == [("response", 413), "end"]


# ---------------------------------------------------------------- giving up


def test_giving_up_a_call_closes_its_connection(scene: Scene) -> None:
    exchange, heard = scene.request()
    peer = scene.server.accept()
    exchange.cancel()
    peer.heard()
    assert peer.is_closed
    exchange.cancel()
    assert (heard.told, scene.cluster.in_flight) == ([], 0)


@pytest.mark.parametrize("moment", ["response", "data"])
def test_giving_up_from_inside_of_the_answer(scene: Scene, moment: str) -> None:
    exchange, heard = scene.request()
    heard.hooks[moment] = exchange.cancel
    peer = scene.server.accept()
    peer.heard()
    peer.send(OK)
    scene.turn()
    assert heard.told[-1] in (moment, (moment, 200))
    assert peer.is_closed


def test_giving_up_while_waiting_for_a_connection(make_scene: MakeScene) -> None:
    scene = make_scene(1, pool=PoolSettings(max_connections=1))
    peer = scene.answered()
    scene.request()
    waiting, heard = scene.request()
    waiting.cancel()
    peer.heard()
    peer.send(OK)
    scene.turn()
    assert (heard.told, peer.heard()) == ([], b"")
    assert scene.cluster.in_flight == 0


def test_giving_up_after_the_end_harms_nobody(scene: Scene) -> None:
    exchange, heard = scene.request()
    peer = scene.server.accept()
    peer.send(OK)
    scene.turn()
    exchange.cancel()
    exchange.pause()
    exchange.resume()
    assert exchange.send(b"x")
    exchange.end()
    assert heard.is_complete
    peer.heard()
    assert not peer.is_closed


def test_a_call_from_the_end_of_another_takes_its_connection(scene: Scene) -> None:
    _, heard = scene.request()
    peer = scene.server.accept()
    peer.heard()
    heard.hooks["end"] = lambda: scene.request(target=b"/next")
    peer.send(OK)
    scene.turn()
    assert peer.heard().startswith(b"GET /next ")


def test_a_pause_does_not_outlive_the_call(scene: Scene) -> None:
    exchange, heard = scene.request()
    peer = scene.server.accept()
    heard.hooks["data"] = exchange.pause
    peer.send(OK)
    scene.turn()
    _, second = scene.request()
    peer.send(OK)
    scene.turn()
    assert heard.is_complete and second.is_complete


def test_a_call_that_is_over_is_freed_without_the_collector(scene: Scene) -> None:
    gc.collect()
    gc.disable()
    try:
        for call in ({}, {"method": "POST", "body": None}):
            exchange, heard = scene.request(**call)
            heard.hooks["never"] = exchange.cancel  # the receiver holds the exchange
            gone = weakref.ref(heard)
            peer = scene.server.accept()
            peer.send(OK)
            scene.turn()
            peer.close()
            assert heard.is_complete
            del exchange, heard
            assert gone() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- other protocols


def test_a_switch_of_protocols(scene: Scene) -> None:
    _, heard = scene.request(upgrade=b"websocket")
    peer = scene.server.accept()
    peer.heard()
    peer.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
    scene.turn()
    assert heard.told == [("upgrade", 101)]
    sock, data = heard.tunnel.take()
    assert data == b"first"
    sock.send(b"out")
    assert peer.heard() == b"out"
    peer.send(b"in")
    scene.turn()
    assert sock.recv(10) == b"in"
    sock.close()
    assert (scene.cluster.in_flight, scene.pool.open) == (0, 0)


def test_a_switch_that_is_refused(scene: Scene) -> None:
    _, heard = scene.request(upgrade=b"websocket")
    scene.server.accept().send(OK)
    scene.turn()
    assert heard.told == [("response", 200), "data", "end"]


def test_a_switch_that_nobody_asked_for(scene: Scene) -> None:
    _, heard = scene.request()
    scene.server.accept().send(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")
    scene.turn()
    assert heard.told == [("failure", "INVALID")]


# ---------------------------------------------------------------- the end of a batch


def test_requests_of_a_batch_leave_at_its_end(scene: Scene) -> None:
    peer = scene.answered()
    heard = Heard()
    scene.cluster.request(Call("GET", b"/late"), heard)
    assert peer.heard() == b""
    scene.turn(1)
    assert peer.heard().startswith(b"GET /late ")


def test_what_follows_in_the_same_batch_keeps_its_place(scene: Scene) -> None:
    peer = scene.answered()
    exchange = scene.cluster.request(Call("POST", b"/", body=None), Heard())
    exchange.send(b"abc")
    exchange.send(b"def")
    exchange.end()
    scene.turn(1)
    assert peer.heard().endswith(b"\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


def test_a_long_request_does_not_wait(scene: Scene) -> None:
    peer = scene.answered()
    scene.cluster.request(Call("PUT", b"/", body=b"x" * 20_000), Heard())
    assert peer.heard().endswith(b"x" * 20_000)


def test_a_member_that_speaks_before_it_was_asked_is_not_listened_to(scene: Scene) -> None:
    """The answer to nobody's question, which came while the next one was on its way out."""
    peer = scene.answered()
    heard = Heard()
    peer.send(OK)
    carrier = scene.cluster.request(Call("GET", b"/"), heard)._carrier
    assert isinstance(carrier, Http1Connection)
    # Its event is served before the batch is over, in which the call was made.
    carrier.on_event(READ)
    scene.turn()
    assert not heard.told
    scene.server.accept().send(OK)
    scene.turn()
    assert heard.is_complete


def test_a_call_given_up_in_the_batch_that_made_it_sends_nothing(scene: Scene) -> None:
    peer = scene.answered()
    scene.cluster.request(Call("GET", b"/"), Heard()).cancel()
    scene.turn()
    assert peer.heard() == b""
    assert peer.is_closed
