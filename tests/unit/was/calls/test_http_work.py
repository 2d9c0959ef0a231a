"""Carrying out orders, against clusters that the test answers for."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from skitaid.upstream.call import CallTimeouts
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was import context
from skitaid.was.calls.launch import launch, launch_map
from skitaid.was.calls.order import BACKGROUND_S, Order, timeouts_for
from skitaid.was.errors import HTTPError, NoWorkerError
from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.reply import Reply
from skitaid.was.messages.target import parse_target
from skitaid.was.tasks.result import STA_NETERR, STA_REQFAIL, STA_TIMEOUT, Result
from tests.unit.was.rig import PATIENCE_S, FakeLoop, World, order


def test_a_call_and_its_answer(world: World) -> None:
    task = launch(order("http://x:81/a?b=1"))
    exchange = world.exchange()
    assert (exchange.where, exchange.call.method, exchange.call.target) == ("http://x:81", "GET", b"/a?b=1")
    exchange.answer(b"hello", fields=b"content-type: text/plain\r\nx-a: 1")
    result = task.dispatch(5)
    assert (result.status_code, result.reason, result.data, result.get_header("X-A")) == (200, "OK", "hello", "1")


def test_a_body_in_pieces(world: World) -> None:
    task = launch(order())
    exchange = world.exchange()
    exchange.begin()
    for piece in (b"a", b"b", b"c"):
        exchange.data(piece)
    world.portal.run(lambda: exchange.receiver.on_end(()))
    assert task.fetch() == "abc"


def test_an_alias(world: World) -> None:
    task = launch(order("@three/v2"))
    exchange = world.exchange()
    assert (exchange.where, exchange.index, exchange.call.target) == ("@three", None, b"/v2")
    exchange.answer()
    assert task.dispatch().code == 200


def test_an_alias_that_there_is_none_of_is_told_where_it_is_written(world: World) -> None:
    for start in (launch, launch_map):
        with pytest.raises(CallError, match=r"@nobody is not an alias that speaks HTTP; .* the conf: @one, @three"):
            start(order("@nobody/"))


def test_without_a_worker() -> None:
    with pytest.raises(NoWorkerError, match=r"skitaid\.py run"):
        launch(order())


def test_a_map_asks_every_member(world: World) -> None:
    tasks = launch_map(order("@three/"))
    for index in range(3):
        world.exchange(index)
    for exchange in reversed(world.exchanges):
        assert exchange.index is not None
        exchange.answer(str(exchange.index).encode())
    assert tasks.fetch() == ["0", "1", "2"]


def test_a_map_with_a_member_that_fails(world: World) -> None:
    tasks = launch_map(order("@three/"))
    for index in range(3):
        exchange = world.exchange(index)
        if exchange.index == 1:
            exchange.fail(UpstreamError(Failure.UNREACHABLE))
        else:
            exchange.answer(b"x")
    results = tasks.dispatch()
    assert results.status_code == [200, 502, 200]
    assert results.data == ["x", None, "x"]


def test_a_map_of_an_url_is_a_call_to_it(world: World) -> None:
    tasks = launch_map(order("http://x/"))
    world.exchange().answer(b"x")
    assert tasks.fetch() == ["x"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(Failure.RESET, STA_NETERR, 502), (Failure.READ_TIMEOUT, STA_TIMEOUT, 504), (Failure.NO_MEMBER, STA_NETERR, 503)],
)
def test_no_answer(world: World, failure: Failure, status: int, code: int) -> None:
    task = launch(order())
    world.exchange().fail(UpstreamError(failure))
    assert (task.dispatch().status, task.code) == (status, code)


def test_an_answer_that_breaks_off(world: World) -> None:
    task = launch(order())
    exchange = world.exchange()
    exchange.begin(length=10)
    exchange.data(b"abc")
    exchange.fail(UpstreamError(Failure.TRUNCATED))
    assert (task.dispatch().status, task.dispatch().data) == (STA_NETERR, None)


def test_what_nobody_waits_for_any_longer_is_cancelled(world: World) -> None:
    task = launch(order())
    exchange = world.exchange()
    assert task.dispatch(0).status == STA_TIMEOUT
    world.settle()
    assert exchange.is_cancelled
    exchange.data(b"late")
    world.portal.run(lambda: exchange.receiver.on_end(()))


def test_what_is_given_up_before_it_begins_never_does(world: World) -> None:
    def both() -> None:
        launch(order()).give_up()

    world.portal.run(both)
    world.settle()
    assert world.exchanges == []


@pytest.mark.parametrize("is_told", [True, False])
def test_an_answer_that_is_too_large(world: World, is_told: bool) -> None:
    task = launch(order(max_bytes=10))
    exchange = world.exchange()
    exchange.begin(length=11 if is_told else None)
    if not is_told:
        exchange.data(b"12345678")
        assert not task.is_done
        exchange.data(b"901")
    result = task.dispatch()
    assert (result.status, result.status_code) == (STA_NETERR, 502)
    assert "limit is 10" in str(result.error)
    assert exchange.is_cancelled
    exchange.data(b"more")


def test_the_length_of_an_answer_to_head_says_nothing_of_its_size(world: World) -> None:
    head = order(max_bytes=10)
    task = launch(replace(head, call=replace(head.call, method="HEAD")))
    exchange = world.exchange()
    exchange.begin(length=1000)
    world.portal.run(lambda: exchange.receiver.on_end(()))
    assert task.dispatch().code == 200


def test_a_failure_before_anything_is_sent(world: World) -> None:
    class Broken:
        def origin(self, *args: object) -> object:
            raise UpstreamError(Failure.SATURATED)

    from skitaid.was.worker import current_worker

    current_worker().upstreams = Broken  # type: ignore[assignment]
    assert launch(order()).dispatch().code == 503


def test_a_failure_of_ours_ends_the_task_too(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from skitaid.was.worker import current_worker

    current_worker().upstreams = lambda: 1 // 0  # type: ignore[assignment, return-value]
    result = launch(order()).dispatch()
    assert (result.status, result.code) == (STA_REQFAIL, 500)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_protocol_that_nobody_asked_for(world: World) -> None:
    task = launch(order())
    exchange = world.exchange()
    world.portal.run(lambda: exchange.receiver.on_upgrade(None, None))  # type: ignore[arg-type]
    assert task.dispatch().code == 502
    assert exchange.is_cancelled


def test_the_rest_of_what_a_receiver_hears(world: World) -> None:
    task = launch(order())
    receiver = world.exchange().receiver
    world.portal.run(lambda: [receiver.on_information(None), receiver.on_flush(), receiver.on_writable()])  # type: ignore[arg-type,func-returns-value]
    assert not task.is_done
    world.exchange().answer()
    assert task.dispatch().code == 200


# ---------------------------------------------------------------- orders that follow


def follow_to(url: str) -> Order:
    """An order that goes on to `url` once."""

    def follow(reply: Reply) -> Order | None:
        assert reply.url == "http://x/"
        return replace(order(url), call=replace(order(url).call, method="PUT"))

    return order("http://x/", follow=follow)


def test_an_order_that_follows_from_a_reply(world: World) -> None:
    task = launch(follow_to("http://y/next"))
    world.exchange().answer(b"not this", status=302)
    second = world.exchange(1)
    assert (second.where, second.call.method, second.call.target) == ("http://y:80", "PUT", b"/next")
    second.answer(b"this")
    assert task.fetch() == "this"


def test_a_reply_that_cannot_be_followed(world: World) -> None:
    def follow(reply: Reply) -> Order | None:
        raise ReplyError("it leads nowhere")

    task = launch(order(follow=follow))
    world.exchange().answer(status=302)
    assert (task.dispatch().status, task.code) == (STA_REQFAIL, 502)
    with pytest.raises(HTTPError, match="it leads nowhere"):
        task.fetch()


def test_what_follows_for_ever_ends(world: World) -> None:
    world.auto = lambda exchange: exchange._answer(b"", 302, b"")
    task = launch(order(follow=lambda reply: order(follow=endless.follow)))
    assert task.dispatch(5).code == 502
    assert len(world.exchanges) < 50


endless = order(follow=lambda reply: endless)


def test_of_a_map_the_same_member_is_asked_again(world: World) -> None:
    def follow(reply: Reply) -> Order | None:
        return order("@three/b") if reply.url == "@three/a" else None

    tasks = launch_map(order("@three/a", follow=follow))
    for index in range(3):
        world.exchange(index).answer()
    for index in range(3, 6):
        world.exchange(index).answer(b"b")
    assert tasks.fetch() == ["b", "b", "b"]
    assert sorted(exchange.index or 0 for exchange in world.exchanges[3:]) == [0, 1, 2]


def test_elsewhere_there_are_no_members(world: World) -> None:
    tasks = launch_map(order("@one/a", follow=lambda reply: order("http://y/")))
    world.exchange().answer()
    assert (world.exchange(1).where, world.exchange(1).index) == ("http://y:80", None)
    world.exchange(1).answer()
    assert tasks.dispatch().code == [200]


# ---------------------------------------------------------------- ids


class FakeStream:
    gtxnid = "GTID-C1-R1"
    ltxnid = "1000"


def test_calls_out_of_a_request_carry_its_ids(world: World) -> None:
    bound = context.Bound(FakeStream())  # type: ignore[arg-type]
    cell = context.cell()
    cell.bound = bound
    try:
        for _ in range(2):
            launch(replace(order(), call=replace(order().call, fields=((b"x-a", b"1"),))))
    finally:
        cell.bound = None
    assert [world.exchange(index).call.fields for index in range(2)] == [
        [(b"x-a", b"1"), (b"x-gtxn-id", b"GTID-C1-R1"), (b"x-ltxn-id", number)] for number in (b"2001", b"2002")
    ]


def test_what_follows_has_the_id_of_what_it_follows(world: World) -> None:
    cell = context.cell()
    cell.bound = context.Bound(FakeStream())  # type: ignore[arg-type]
    try:
        launch(follow_to("http://y/"))
    finally:
        cell.bound = None
    world.exchange().answer(status=307)
    assert dict(world.exchange(1).call.fields)[b"x-ltxn-id"] == b"2001"


def test_all_steps_together_have_the_time_of_one(world: World) -> None:
    launch(order("http://x/", timeout=30.0, follow=lambda reply: order("http://y/", timeout=30.0)))
    world.exchange().answer()
    timeouts = world.exchange(1).call.timeouts
    assert 0 < timeouts.total_s < 30.0
    task = launch(order("http://x/", timeout=0.05, follow=lambda reply: order("http://y/")))
    exchange = world.exchange(2)
    assert task.wait().status == STA_TIMEOUT
    exchange.answer()
    world.settle()
    assert len(world.exchanges) == 3


def test_a_call_leaves_nothing_for_the_garbage_collector(world: World) -> None:
    gc.collect()
    gc.disable()
    try:
        ghosts = []
        for key in (None, "k"):
            task = launch(order(key=key))
            exchange = world.exchange()
            exchange.answer(b"x")
            assert task.fetch() == "x"
            ghosts += [weakref.ref(task), weakref.ref(exchange.receiver)]
            del task, exchange
            world.exchanges.clear()
        world.settle()
        assert [ghost() for ghost in ghosts] == [None] * 4
    finally:
        gc.enable()


def test_outside_of_requests_there_are_no_ids(world: World) -> None:
    launch(order())
    assert world.exchange().call.fields == ()


# ---------------------------------------------------------------- kept results


def test_a_kept_result_calls_nobody(world: World) -> None:
    first = launch(order(key="k"))
    world.exchange().answer(b"x")
    assert first.fetch(5, 60) == "x"
    assert launch(order(key="k")).fetch() == "x"
    world.settle()
    assert len(world.exchanges) == 1
    launch(order(key="k", use_cache=False))
    world.exchange(1)
    launch(order(key="other"))
    world.exchange(2)


def test_the_members_of_a_map_are_kept_each_for_itself(world: World) -> None:
    tasks = launch_map(order("@three/", key="k"))
    for index in range(3):
        exchange = world.exchange(index)
        exchange.answer(str(exchange.index).encode())
    assert tasks.fetch(5, 60) == ["0", "1", "2"]
    assert launch_map(order("@three/", key="k")).fetch() == ["0", "1", "2"]
    launch(order("@three/", key="k"))
    world.exchange(3)


def test_a_map_is_kept_when_all_of_it_may_be(world: World) -> None:
    tasks = launch_map(order("@three/", key="k"))
    for index in range(3):
        world.exchange(index).answer(status=500 if index == 1 else 200)
    tasks.dispatch(60, timeout=5)
    launch_map(order("@three/", key="k"))
    world.exchange(5)


def test_a_worker_that_keeps_nothing(world: World) -> None:
    from skitaid.was.worker import current_worker

    current_worker().result_cache_max = 0
    for index in range(2):
        task = launch(order(key="k"))
        world.exchange(index).answer()
        task.dispatch(5, 60)
    assert len(world.exchanges) == 2


# ---------------------------------------------------------------- callbacks and time-outs


def test_a_callback_gets_the_result(world: World) -> None:
    found: list[Result] = []
    launch(order(), callback=found.append)
    world.exchange().answer(b"x")
    world.settle()
    assert [each.data for each in found] == ["x"]
    launch_map(order("@one/"), callback=found.extend)
    world.exchange(1).answer(b"y")
    world.settle()
    assert [each.data for each in found] == ["x", "y"]


def test_a_callback_that_fails_is_told(world: World) -> None:
    launch(order(), callback=lambda result: 1 // 0)
    world.exchange().answer()
    world.settle()
    ((kind, text, identifier),) = world.logged
    assert (kind, identifier) == ("expt", "")
    assert text.startswith("callback=test_a_callback_that_fails_is_told.<locals>.<lambda> failed")
    assert "ZeroDivisionError" in text


def test_a_callback_for_a_kept_result(world: World) -> None:
    task = launch(order(key="k"))
    world.exchange().answer(b"x")
    task.dispatch(5, 60)
    found: list[Result] = []
    launch(order(key="k"), callback=found.append)
    world.settle()
    assert [each.data for each in found] == ["x"]


def test_the_time_outs_of_a_call() -> None:
    assert timeouts_for(None) == CallTimeouts(3.0, BACKGROUND_S, 0.0)
    assert timeouts_for(2.0) == CallTimeouts(2.0, 2.0, 2.0)
    assert timeouts_for(20.0) == CallTimeouts(3.0, 20.0, 20.0)


def test_an_alias_says_how_long_connecting_may_take(world: World) -> None:
    from skitaid.was.worker import current_worker

    current_worker().connect_s = {"one": 1.0}
    for timeout in (None, 5.0, 0.5):
        launch(order("@one/", timeout=timeout))
    launch(order("http://x/"))
    found = [world.exchange(index).call.timeouts for index in range(4)]
    assert [each.connect_s for each in found] == [1.0, 1.0, 0.5, 3.0]
    assert found[1].total_s == 5.0


def test_how_long_is_waited_for_a_call(world: World) -> None:
    assert launch(order()).timeout_s == 10.0
    assert launch(order(timeout=2.0)).timeout_s == 2.0
    assert launch_map(order("@one/", timeout=2.0)).timeout_s == 2.0


def test_an_order_tells_its_url() -> None:
    assert [order(url).url for url in ("http://x:81/a?b", "@one/c")] == ["http://x:81/a?b", "@one/c"]
    assert parse_target("https://x/").authority == "x"


# ---------------------------------------------------------------- what is said of failures


def test_a_failure_says_of_what(world: World) -> None:
    task = launch(order("http://x:81/a?token=1"))
    world.exchange().answer(status=404)
    with pytest.raises(HTTPError, match=r"^404 OK: GET http://x:81/a was answered 404 OK$"):
        task.fetch()
    task = launch(order("@three/a?token=1", key="k"))
    with pytest.raises(HTTPError, match=r"^504 Gateway Timeout: GET @three/a: given up after 0\.01\d* s$"):
        task.fetch(0.01)
    task = launch(order("@three/b"))
    world.exchange(2).fail(UpstreamError(Failure.UNREACHABLE, member="127.0.0.1:1"))
    with pytest.raises(
        HTTPError, match=r"^502 Bad Gateway: GET @three/b: 127\.0\.0\.1:1: the connection was not made$"
    ):
        task.fetch()


def test_who_shares_a_call_has_a_time_of_his_own(world: World, loop: FakeLoop) -> None:
    first = launch(order(key="k", use_cache=True, is_cache_asked=True, timeout=0.01))
    second = launch(order(key="k", use_cache=True, is_cache_asked=True, timeout=PATIENCE_S))
    assert world.exchange().call.timeouts.total_s == 0
    assert first.dispatch().status == STA_TIMEOUT
    assert not world.exchange().is_cancelled
    world.exchange().answer(b"2")
    assert second.dispatch().status_code == 200
    assert len(world.exchanges) == 1


def test_a_call_that_could_be_shared_ends_in_time_though_nobody_waits(world: World, loop: FakeLoop) -> None:
    task = launch(order(key="k", timeout=0.01))
    world.exchange()
    while not task.is_done:
        loop.tick(world)
    assert task.status == STA_TIMEOUT
    world.settle()
    assert world.exchange().is_cancelled
