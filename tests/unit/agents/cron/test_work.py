from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from skitaid.agents.cron.work import PATH, Work, collect, environ_of, find
from skitaid.config.crontab import CronJob
from skitaid.config.identity import Identity
from skitaid.config.load import default_main, load_instance, load_main


@pytest.fixture
def works(tmp_path: Path) -> dict[str, Work]:
    (tmp_path / "servers-enabled").mkdir()
    (tmp_path / "skitaid.conf").write_text("[crontab:line]\nA = 1\n* * * * * /bin/tidy\n@reboot hello\n")
    path = tmp_path / "servers-enabled" / "shop.conf"
    path.write_text(
        f"[server]\ndirectory = {tmp_path}\npython = {sys.executable}\n[environment]\nA = x\nB = y\n"
        "[crontab:line]\nA = 2\n@daily tidy\n"
    )
    main = load_main(tmp_path)
    return collect(main, [load_instance(path, main, is_root=False)])


def test_jobs_have_the_name_of_whom_they_belong_to(works: dict[str, Work]) -> None:
    assert list(works) == ["tidy", "hello", "shop:tidy"]
    assert find(works, "tidy") == [works["tidy"]]
    assert find(works, "shop:tidy") == [works["shop:tidy"]]
    assert find({"shop:tidy": works["shop:tidy"]}, "tidy") == [works["shop:tidy"]]
    assert find(works, "tid") == []


def test_the_environment_is_small(works: dict[str, Work]) -> None:
    account = pwd.getpwuid(os.geteuid())
    found = environ_of(works["tidy"], {"SECRET": "1", "PATH": "/odd"})
    assert found == {
        "PATH": PATH,
        "SHELL": "/bin/sh",
        "HOME": account.pw_dir,
        "LOGNAME": account.pw_name,
        "USER": account.pw_name,
        "A": "1",
        "SKITAID_JOB": "tidy",
    }
    assert environ_of(works["tidy"], {"TZ": "Asia/Seoul"})["TZ"] == "Asia/Seoul"


def test_an_instance_s_jobs_live_where_it_does(works: dict[str, Work], tmp_path: Path) -> None:
    found = environ_of(works["shop:tidy"], {})
    assert (found["A"], found["B"], found["SKITAID_JOB"]) == ("2", "y", "shop:tidy")
    assert found["PATH"] == f"{os.path.dirname(sys.executable)}:{PATH}"
    assert works["shop:tidy"].directory == tmp_path
    places = default_main(tmp_path).global_
    assert {name: found[name] for name in found if name.startswith("SKITAID_")} == {
        "SKITAID_JOB": "shop:tidy",
        "SKITAID_INSTANCE": "shop",
        "SKITAID_ETC": str(tmp_path),
        "SKITAID_LOG_PATH": str(places.log_path / "instances" / "shop"),
        "SKITAID_VAR_PATH": str(places.var_path / "instances" / "shop"),
    }


def test_a_user_that_nobody_knows_lives_in_the_root() -> None:
    job = CronJob("a", "@daily", "a", None)
    found = environ_of(Work(job, identity=Identity("x", 4_000_000_000, 4_000_000_000)), {})
    assert found["HOME"] == "/"
