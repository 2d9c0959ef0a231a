"""The daemon's agents: they come and go with the sections that ask for them, and are watched like instances."""

from __future__ import annotations

import json
import os
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from skitaid.supervisor.control import ask
from tests.functional.running import Daemon, Place, wait_for

CRONTAB = "[crontab:line]\n0 0 1 1 * true\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    (place.etc / "skitaid.conf").write_text(CRONTAB)
    return place


def agents(daemon: Daemon) -> dict[str, dict[str, Any]]:
    answer = ask(daemon.place.run_path, {"command": "status"}, timeout_s=30)
    found = {item["name"]: item for item in answer["agents"]}
    daemon.sessions |= {item["pid"] for item in found.values() if item["pid"]}
    return found


def write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.rename(path)


def test_an_agent_is_there_as_long_as_a_section_asks_for_it(daemon: Daemon) -> None:
    started = daemon.start()("status", "--json")
    (cron,) = json.loads(started.stdout)["agents"]
    daemon.sessions.add(cron["pid"])
    assert (cron["name"], cron["state"]) == ("cron", "running")
    write(daemon.place.etc / "skitaid.conf", "[smtpda]\n")
    wait_for(lambda: agents(daemon).keys() == {"smtpda"}, "the mail agent alone")
    assert wait_for(lambda: agents(daemon)["smtpda"]["state"] == "running", "the mail agent to be ready")
    assert wait_for(lambda: not Path(f"/proc/{cron['pid']}").exists(), "the end of the cron agent")
    daemon.place.conf("[server]\nlisten = 127.0.0.1:0\n" + CRONTAB)
    wait_for(lambda: agents(daemon).get("cron", {}).get("state") == "running", "an instance's crontab to be seen")


def test_an_agent_is_asked_by_its_name(daemon: Daemon) -> None:
    daemon.start()
    before = agents(daemon)["cron"]["pid"]
    os.kill(before, SIGKILL)
    wait_for(lambda: agents(daemon)["cron"]["pid"] not in (None, before), "another process")
    wait_for(lambda: agents(daemon)["cron"]["state"] == "running", "it to be ready")
    assert agents(daemon)["cron"]["restarts"] == 1
    assert "cron: reloaded" in daemon("-f", "cron", "reload").stdout
    log = daemon("-f", "cron", "log").stdout
    assert "cron is ready" in log and "reloaded" in log
    assert "rotated: cron" in daemon("-f", "cron", "rotate").stdout
    path = daemon.place.root / "var" / "log" / "daemons" / "cron" / "cron.log"
    path.unlink()
    wait_for(path.exists, "a log that was removed to be made anew")
    assert "running" in daemon("-f", "cron", "status").stdout
    assert daemon("-f", "cron", "start").returncode == 1
    assert "cron: stopped" in daemon("-f", "cron", "stop").stdout
    assert agents(daemon)["cron"]["state"] == "stopped"
    assert daemon("-f", "cron", "restart").returncode == 0
    assert agents(daemon)["cron"]["state"] == "running"
    refused = daemon("-f", "smtpda", "start")
    assert (refused.returncode, "there is no [smtpda]" in refused.stderr) == (1, True)


def test_an_agent_starts_alone(daemon: Daemon) -> None:
    daemon.place.conf("[server]\nlisten = 127.0.0.1:0\n")
    assert "cron runs" in daemon("-f", "cron", "start").stdout
    assert agents(daemon)["cron"]["state"] == "running"
    assert daemon.see()["state"] == "stopped"
