from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skitaid import __version__
from skitaid.cli.options import parse
from skitaid.cli.session import Session
from skitaid.cli.status import agents_table, chosen, detail, overview
from skitaid.cli.style import PLAIN
from skitaid.exceptions import RefusedError

DAEMON = {"pid": 7, "uptime_s": 3725.0, "version": __version__}
WORKER = {
    "id": 0,
    "pid": 12,
    "requests": 40,
    "rss_bytes": 21_000_000,
    "state": "ready",
    "connections": 3,
    "uptime_s": 61.0,
}


def figures(**changes: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "state": "running",
        "pid": 11,
        "address": "0.0.0.0:5000",
        "uptime_s": 65.0,
        "restarts": 2,
        "workers": [WORKER],
        "requests_per_s": 12.34,
        "rss_bytes": 9_000_000,
        "problems": [],
        **changes,
    }


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "servers-enabled").mkdir()
    (tmp_path / "servers-enabled" / "shop.conf").write_text("")
    return Session(parse(["-f", "shop", "status"]), tmp_path)


def test_the_table_shows_every_figure(session: Session) -> None:
    assert overview(session, DAEMON, [figures()], PLAIN) == [
        f"skitaid {__version__}  pid 7, up 1h 02m",
        "",
        "NAME  STATE    PID  WORKERS  UPTIME  RESTARTS  REQ/S   MEMORY  ADDRESS",
        "shop  running   11        1  1m 05s         2   12.3  30.0 MB  0.0.0.0:5000",
    ]


def test_a_daemon_of_before_the_upgrade_is_told(session: Session) -> None:
    assert overview(session, DAEMON | {"version": "0.9"}, [figures()], PLAIN)[0] == (
        f"skitaid 0.9  pid 7, up 1h 02m; {__version__} is installed: restart gives it to the instances, stop and start "
        "to the daemon too"
    )


def test_what_does_not_run_has_dashes_and_a_reason(session: Session) -> None:
    stopped = figures(
        state="backoff",
        pid=None,
        address=None,
        uptime_s=None,
        workers=[],
        rss_bytes=0,
        requests_per_s=0,
        reason="exited with code 1",
        fix="its stderr.log says why",
    )
    assert overview(session, DAEMON, [stopped], PLAIN)[3:] == [
        "shop  backoff    -        -       -         2      -       -  -",
        "",
        "shop: backoff: exited with code 1",
        "  fix: its stderr.log says why",
    ]


def test_apps_that_are_not_served_are_told(session: Session) -> None:
    lines = overview(session, DAEMON, [figures(unserved=["/blog (shop.conf:7): blog.py: cannot be imported"])], PLAIN)
    assert lines[4:] == [
        "",
        "shop: running, but an app of it could not be loaded and answers 500",
        "  /blog (shop.conf:7): blog.py: cannot be imported",
        "  fix: mend it, then: skitaid -f shop reload; its traceback: skitaid -f shop log",
    ]


def test_a_master_on_its_way_out_is_told(session: Session) -> None:
    leaving = [{"pid": 9, "connections": 3, "rss_bytes": 40_000_000, "left_s": 250.0}]
    assert overview(session, DAEMON, [figures(leaving=leaving)], PLAIN)[4:] == [
        "",
        "shop: a master on its way out, pid 9, finishes what it has in flight: connections 3, memory 40.0 MB, "
        "4m 10s at most",
    ]


def test_problems_of_an_edited_conf_are_told(session: Session) -> None:
    lines = overview(session, DAEMON, [figures(problems=["shop.conf:3: wrong"])], PLAIN)
    assert lines[4:] == [
        "",
        "shop: running, but its conf file is wrong: it goes on with the one it has",
        "  shop.conf:3: wrong",
        "  fix: correct the file, then: skitaid -f shop reload",
    ]


def test_problems_are_told_once(session: Session) -> None:
    broken = figures(
        state="fatal",
        reason="its conf file has 2 problems, first shop.conf:3: wrong",
        problems=["shop.conf:3: wrong", "shop.conf:4: odd"],
        fix="it starts when the file is corrected",
    )
    assert overview(session, DAEMON, [broken], PLAIN)[4:] == [
        "",
        "shop: fatal: its conf file has 2 problems",
        "  shop.conf:3: wrong",
        "  shop.conf:4: odd",
        "  fix: it starts when the file is corrected",
    ]


def test_no_instance_at_all_says_what_to_do(session: Session) -> None:
    assert "put a conf file into" in overview(session, DAEMON, [], PLAIN)[-1]


def test_detail_has_a_row_for_each_worker(session: Session) -> None:
    lines = detail(session, figures(), PLAIN)
    assert lines[3:5] == [
        "WORKER  PID  STATE  UPTIME  REQUESTS  CONNECTIONS   MEMORY",
        "#0       12  ready  1m 01s        40            3  21.0 MB",
    ]
    assert lines[-1].endswith("/log/instances/shop/")


def test_agents_have_a_table_of_their_own(tmp_path: Path, session: Session) -> None:
    cron = {
        "name": "cron",
        "state": "running",
        "pid": 31,
        "uptime_s": 65.0,
        "restarts": 0,
        "rss_bytes": 11_000_000,
        "note": "3 jobs",
    }
    assert agents_table(session, [], PLAIN) == []
    assert agents_table(session, [cron], PLAIN) == [
        "",
        "AGENT  STATE    PID  UPTIME  RESTARTS   MEMORY  NOTE",
        "cron   running   31  1m 05s         0  11.0 MB  3 jobs",
    ]
    assert chosen(Session(parse(["-f", "cron", "status"]), tmp_path), [figures()], [cron]) == ([], [cron])


def test_an_unknown_name_gets_the_nearest(tmp_path: Path, session: Session) -> None:
    assert chosen(session, [figures()]) == ([figures()], [])
    other = Session(parse(["-f", "shpo", "status"]), tmp_path)
    with pytest.raises(RefusedError, match="did you mean shop"):
        chosen(other, [figures()])
