from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.cli.doctor_cron import check_cron
from skitaid.cli.finding import Level
from skitaid.config.load import default_main
from skitaid.config.model import Crontab, CrontabLine, Instance, Main, Server, Smtpda, State


@pytest.fixture
def main(tmp_path: Path) -> Main:
    return default_main(tmp_path)


def crontab(*lines: str) -> Crontab:
    return Crontab(tuple(CrontabLine(line) for line in lines))


def found(main: Main, *instances: Instance) -> list[tuple[Level, str]]:
    return [(finding.level, finding.text) for finding in check_cron(main, instances)]


def test_jobs_that_need_nothing(main: Main) -> None:
    assert found(main) == []
    assert found(replace(main, crontab=crontab("@daily tidy", "ONE_MACHINE = yes", "@reboot hello"))) == []


def test_mail_needs_a_queue(main: Main, tmp_path: Path) -> None:
    jobs = crontab("MAILTO = me@example.com", "@daily tidy", "@daily wash")
    shop = Instance("shop", tmp_path / "shop.conf", Server(), crontab=jobs)
    ((level, text),) = found(main, shop)
    assert level is Level.WARNING
    assert text.startswith("MAILTO of shop:tidy and 1 more: the daemon has no mail queue")
    assert found(replace(main, smtpda=Smtpda()), shop) == []


def test_one_machine_needs_redis(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = replace(main, crontab=crontab("ONE_MACHINE = yes", "@daily tidy"))
    ((level, text),) = found(shared)
    assert (level, text) == (Level.WARNING, "ONE_MACHINE of tidy: without Redis each machine runs it")
    shared = replace(shared, state=State("redis://localhost:6379/0"))
    assert found(shared) == []
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "redis", raising=False)
    ((level, text),) = found(shared)
    assert level is Level.WRONG
    assert "the package redis is not installed" in text
