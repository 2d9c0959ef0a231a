from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from skitaid.config.load import default_main
from skitaid.config.model import Instance, Server
from skitaid.instance.arguments import Conf
from skitaid.instance.handover import Incoming, Verdict, judge, newly_failed
from skitaid.instance.worker_pool import WorkerPool
from skitaid.supervisor.scoreboard import Scoreboard

INSTANCE = Instance("site", Path("/etc/site.conf"), Server(processes=2, start_timeout_s=7))
CONF = Conf(default_main(Path("/etc")), INSTANCE, Path("/log"), Path("/var"))
INCOMING = Incoming(CONF, 1, deadline=100.0, broken_before=())


@pytest.fixture
def pool() -> WorkerPool:
    """A generation of two that serves (pids 1 and 2), and one of two that starts (3 and 4)."""
    pids = count(1)
    made = WorkerPool(Scoreboard.create(), lambda index, slot, generation: next(pids))
    made.promote(0, 2)
    made.start(0, 2)
    made.ready(1, (), 0.0)
    made.ready(2, (), 0.0)
    made.start(1, 2)
    return made


def test_waits_for_all_of_them(pool: WorkerPool) -> None:
    assert INCOMING.size == 2
    assert judge(INCOMING, pool, 99.0) == (Verdict.WAIT, "")
    pool.ready(3, (), 1.0)
    assert judge(INCOMING, pool, 99.0) == (Verdict.WAIT, "")
    pool.ready(4, (), 1.0)
    assert judge(INCOMING, pool, 99.0) == (Verdict.TAKE_OVER, "")


def test_not_for_ever(pool: WorkerPool) -> None:
    pool.ready(3, (), 1.0)
    assert judge(INCOMING, pool, 100.0) == (Verdict.GIVE_UP, "not ready within 7 s (start_timeout)")


def test_a_late_one_is_not_given_up_when_it_is_ready(pool: WorkerPool) -> None:
    pool.ready(3, (), 1.0)
    pool.ready(4, (), 1.0)
    assert judge(INCOMING, pool, 101.0) == (Verdict.TAKE_OVER, "")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ((), (Verdict.GIVE_UP, "this app cannot be loaded: /a (site.conf:3): broken")),
        (None, (Verdict.TAKE_OVER, "")),
    ],
)
def test_a_broken_app(pool: WorkerPool, before: tuple[str, ...] | None, expected: tuple[Verdict, str]) -> None:
    pool.ready(3, (), 1.0)
    pool.ready(4, ("/a (site.conf:3): broken",), 1.0)
    assert judge(replace(INCOMING, broken_before=before), pool, 99.0) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((), (), ""),
        ((), ("/a (1): x",), "/a (1): x"),
        (("/a (1): x",), ("/a (7): still, at another line",), ""),
        (("/a (1): x",), (), ""),
        (("/a (1): x",), ("/a (1): x", "/b (2): y"), "/b (2): y"),
        (("www.a.com/ (1): x",), ("/ (2): y",), "/ (2): y"),
        (None, ("/a (1): x",), ""),
    ],
)
def test_newly_failed(old: tuple[str, ...] | None, new: tuple[str, ...], expected: str) -> None:
    assert newly_failed(old, new) == expected
