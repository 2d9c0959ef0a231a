from __future__ import annotations

import zoneinfo
from datetime import datetime
from pathlib import Path

import pytest

from skitaid.agents.cron.zones import local_zone, zone_of


@pytest.fixture
def localtime(tmp_path: Path) -> Path:
    found = next(path for folder in zoneinfo.TZPATH if (path := Path(folder, "Asia/Seoul")).is_file())
    (tmp_path / "zoneinfo" / "Asia").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Asia" / "Seoul").write_bytes(found.read_bytes())
    link = tmp_path / "localtime"
    link.symlink_to("zoneinfo/Asia/Seoul")
    return link


def offset(zone: zoneinfo.ZoneInfo) -> str:
    return f"{datetime(2025, 7, 1, tzinfo=zone):%z}"


def test_the_machine_s_zone(localtime: Path) -> None:
    zone = local_zone({}, localtime)
    assert (zone.key, offset(zone)) == ("Asia/Seoul", "+0900")
    assert local_zone({}, localtime) is zone


def test_tz_names_another(localtime: Path) -> None:
    assert offset(local_zone({"TZ": "Europe/Berlin"}, localtime)) == "+0200"
    assert offset(local_zone({"TZ": ":Europe/Berlin"}, localtime)) == "+0200"
    assert offset(local_zone({"TZ": "CET-1CEST"}, localtime)) == "+0000"


def test_without_anything_it_is_utc(tmp_path: Path) -> None:
    assert offset(local_zone({}, tmp_path / "localtime")) == "+0000"
    (tmp_path / "localtime").write_text("no zone")
    assert offset(local_zone({}, tmp_path / "localtime")) == "+0000"


def test_a_job_s_own() -> None:
    assert offset(zone_of("America/New_York")) == "-0400"
