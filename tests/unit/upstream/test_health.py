"""Members that fail are left alone for a while, then tried by one call at a time."""

from __future__ import annotations

import pytest

from skitaid.upstream.health import HealthSettings, MemberHealth, State, admitted

SETTINGS = HealthSettings(fails=3, first_s=1.0, longest_s=6.0)


def member(settings: HealthSettings = SETTINGS, *, jitter: float = 0.5) -> MemberHealth:
    return MemberHealth(settings, jitter=lambda: jitter)


def fail(health: MemberHealth, now: float, times: int = 1) -> list[bool]:
    return [(health.begin(now), health.failed(now))[1] for _ in range(times)]


class Server:
    def __init__(self, name: str, health: MemberHealth) -> None:
        self.name = name
        self.health = health


def test_only_failures_in_a_row_eject() -> None:
    health = member()
    assert fail(health, 0.0, 2) == [False, False]
    assert not health.succeeded()
    assert fail(health, 0.0, 2) == [False, False]
    assert health.is_admitted(0.0)
    assert fail(health, 0.0) == [True]
    assert health.state is State.EJECTED
    assert not health.is_admitted(0.0)


def test_a_failure_that_costs_much_ejects_alone() -> None:
    health = member()
    assert health.failed(0.0, is_costly=True)
    assert not health.is_admitted(0.9)
    assert health.is_admitted(1.1)
    spared = member(HealthSettings(fails=0))
    assert not spared.failed(0.0, is_costly=True)


def test_after_its_wait_one_probe_goes_at_a_time() -> None:
    health = member()
    fail(health, 10.0, 3)
    assert not health.is_admitted(10.99)
    assert health.is_admitted(11.0)
    health.begin(11.0)
    assert health.state is State.PROBED
    assert not health.is_admitted(11.5)


def test_a_success_brings_it_back_at_full_and_forgets_the_past() -> None:
    health = member()
    fail(health, 0.0, 3)
    fail(health, 1.0)
    health.begin(3.0)
    assert health.succeeded()
    assert health.state is State.UP
    assert fail(health, 4.0, 3) == [False, False, True]
    assert health.is_admitted(5.0)


def test_waits_double_up_to_the_longest() -> None:
    health = member()
    now, waits = 0.0, []
    fail(health, now, 3)
    for _ in range(5):
        waits.append(health.until - now)
        now = health.until
        assert fail(health, now) == [True]
    assert waits == pytest.approx([1, 2, 4, 6, 6])


@pytest.mark.parametrize(("jitter", "wait_s"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_waits_differ_from_worker_to_worker(jitter: float, wait_s: float) -> None:
    health = member(jitter=jitter)
    fail(health, 0.0, 3)
    assert health.until == pytest.approx(wait_s)


def test_jitter_does_not_pile_up() -> None:
    health = member(jitter=1.0)
    fail(health, 0.0, 3)
    now = health.until
    fail(health, now)
    assert health.until - now == pytest.approx(2.2)


def test_calls_that_were_under_way_when_it_was_ejected_do_not_keep_it_out_longer() -> None:
    health = member()
    for _ in range(50):
        health.begin(0.0)
    assert [health.failed(0.5) for _ in range(50)].count(True) == 1
    assert health.until == pytest.approx(1.5)


def test_a_late_success_of_such_a_call_brings_it_back() -> None:
    health = member()
    fail(health, 0.0, 3)
    assert health.succeeded()
    assert health.is_admitted(0.5)


def test_a_probe_that_is_abandoned_makes_room_for_another() -> None:
    health = member()
    fail(health, 0.0, 3)
    health.begin(1.0)
    health.abandoned(1.2)
    assert health.is_admitted(1.2)


def test_a_probe_that_is_never_heard_of_makes_room_for_another() -> None:
    health = member()
    fail(health, 0.0, 3)
    health.begin(1.0)
    assert not health.is_admitted(1.99)
    assert health.is_admitted(2.0)


def test_of_probes_that_are_never_heard_of_there_are_fewer_and_fewer() -> None:
    health = member(HealthSettings(fails=3, first_s=1.0, longest_s=6.0))
    fail(health, 0.0, 3)
    begun = []
    for now in range(1, 30):
        if health.is_admitted(float(now)):
            health.begin(float(now))
            begun.append(now)
    assert begun == [1, 2, 4, 8, 14, 20, 26]
    assert health.succeeded()
    assert fail(health, 30.0, 3)[-1]
    assert health.is_admitted(31.0)


def test_abandoning_a_call_says_nothing_about_a_member_that_is_up() -> None:
    health = member()
    fail(health, 0.0, 2)
    health.begin(0.0)
    health.abandoned(0.0)
    assert fail(health, 0.0) == [True]


def test_a_member_may_be_spared() -> None:
    health = member(HealthSettings(fails=0))
    assert fail(health, 0.0, 100) == [False] * 100
    assert health.is_admitted(0.0)


def test_the_admitted_are_those_that_are_up_or_due() -> None:
    up, due, out = (Server(name, member()) for name in ("up", "due", "out"))
    fail(due.health, 0.0, 3)
    fail(out.health, 0.5, 3)
    assert [server.name for server in admitted([up, due, out], 1.0)] == ["up", "due"]


def test_a_call_that_can_not_be_repeated_is_a_probe_only_when_no_other_came() -> None:
    up, out = (Server(name, member()) for name in ("up", "out"))
    fail(out.health, 0.0, 3)
    assert admitted([up, out], 1.0) == [up, out]
    assert admitted([up, out], 1.9, is_risky=True) == [up]
    assert admitted([up, out], 2.0, is_risky=True) == [up, out]
    out.health.begin(2.0)
    assert admitted([up, out], 2.5) == [up]
    assert out.health.succeeded()
    assert admitted([up, out], 2.5, is_risky=True) == [up, out]


def test_a_member_that_is_alone_takes_any_call_at_any_time() -> None:
    out = Server("out", member())
    fail(out.health, 0.0, 3)
    assert admitted([out], 0.1, is_risky=True) == [out]


def test_when_all_are_ejected_calls_go_round() -> None:
    servers = [Server(name, member()) for name in "abc"]
    for index, server in enumerate(servers):
        fail(server.health, index * 0.01, 3)
    tried = []
    for turn in range(6):
        (server,) = admitted(servers, 0.1 + turn * 0.1)
        tried.append(server.name)
        fail(server.health, 0.1 + turn * 0.1)
    assert "".join(tried) == "abcabc"


def test_a_success_in_panic_brings_a_member_back_before_its_time() -> None:
    servers = [Server(name, member()) for name in "ab"]
    for server in servers:
        fail(server.health, 0.0, 3)
    (server,) = admitted(servers, 0.1)
    server.health.begin(0.1)
    assert server.health.succeeded()
    assert admitted(servers, 0.1) == [server]


def test_nobody_is_admitted_of_nobody() -> None:
    assert admitted([], 0.0) == []


def test_bad_checks_in_a_row_keep_a_member_out_until_one_is_good() -> None:
    health = member()
    assert [health.checked(False), health.checked(False), health.checked(True)] == [False] * 3
    assert [health.checked(False), health.checked(False), health.checked(False), health.checked(False)] == [
        False, False, True, False,
    ]  # fmt: skip
    assert not health.is_admitted(1e9)
    assert health.checked(True)
    assert health.is_admitted(0.0)


def test_checks_and_calls_judge_apart() -> None:
    health = member()
    for _ in range(3):
        health.checked(False)
    assert not health.succeeded()
    assert not health.is_admitted(0.0)
    fail(health, 0.0, 3)
    assert health.checked(True)
    assert not health.is_admitted(0.5)
    assert health.is_admitted(1.0)


def test_a_member_that_may_not_be_ejected_is_spared_by_checks_too() -> None:
    health = member(HealthSettings(fails=0))
    assert [health.checked(False) for _ in range(9)] == [False] * 9
    assert health.is_admitted(0.0)


def test_when_checks_let_nobody_in_their_word_does_not_count() -> None:
    servers = [Server(name, member()) for name in "abc"]
    for server in servers:
        for _ in range(3):
            server.health.checked(False)
    fail(servers[1].health, 0.0, 3)
    assert [server.name for server in admitted(servers, 0.5)] == ["a", "c"]
