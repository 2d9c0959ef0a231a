"""Which agents the confs ask for. What becomes of them is tested with a real daemon, in tests/functional."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.agents.arguments import RUN_LOG, Arguments, parse
from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.spool import Spool, new_id
from skitaid.config.load import default_main
from skitaid.config.model import Crontab, CrontabLine, Instance, Main, Smtpda
from skitaid.supervisor.agents import BOOT, make_spool, wanted
from skitaid.supervisor.spawn import Command

ETC = Path("/srv/etc")
GLOBAL = default_main(ETC).global_
JOBS = Crontab((CrontabLine("@daily true"),))


@pytest.mark.parametrize(
    ("main", "instances", "expected"),
    [
        (Main(GLOBAL, ETC), [], []),
        (Main(GLOBAL, ETC, smtpda=Smtpda()), [], ["smtpda"]),
        (Main(GLOBAL, ETC, crontab=JOBS), [], ["cron"]),
        (Main(GLOBAL, ETC, crontab=Crontab()), [], []),
        (Main(GLOBAL, ETC), [Instance("a", ETC), Instance("b", ETC, crontab=JOBS)], ["cron"]),
        (Main(GLOBAL, ETC, smtpda=Smtpda(), crontab=JOBS), [], ["cron", "smtpda"]),
    ],
)
def test_agents_that_confs_ask_for(main: Main, instances: list[Instance], expected: list[str]) -> None:
    assert sorted(wanted(main, instances)) == expected


def test_the_mail_spool_is_there_before_apps_are(tmp_path: Path) -> None:
    main = Main(replace(GLOBAL, var_path=tmp_path / "new" / "var"), ETC, smtpda=Smtpda())
    make_spool(main)
    spool = Spool(tmp_path / "new" / "var" / "daemons" / "smtpda")
    spool.put(Envelope(new_id(), 1.0, "a@x.org", ("b@x.org",)), b"Subject: x\r\n\r\n")
    before = {path: path.stat().st_mode for path in (spool.folder, spool.folder / "incoming")}
    queue = Queue(spool.folder)
    queue.prepare()
    assert {path: path.stat().st_mode for path in before} == before, "as the agent makes them"
    queue.incoming.chmod(0o1770)
    make_spool(main)
    assert queue.incoming.stat().st_mode & 0o7777 == 0o1770, "what is there is left as it is"


def test_the_supervisor_and_the_agent_agree_on_the_command_line() -> None:
    assert BOOT.is_file()
    words = Command(sys.executable, BOOT, "cron", ETC, verbose=True).argv[2:]
    assert parse(words, {}) == Arguments("cron", ETC, is_verbose=True)
    found = parse(["-f", "smtpda", "--etc", str(ETC)], {RUN_LOG: "/tmp/log"})
    assert found.log_path(GLOBAL) == Path("/tmp/log/smtpda.log")
    assert parse(words, {}).log_path(GLOBAL) == GLOBAL.log_path / "daemons" / "cron" / "cron.log"
    assert parse(words, {}).var_path(GLOBAL) == GLOBAL.var_path / "daemons" / "cron"


@pytest.mark.parametrize("words", [[], ["-f", "cron"], ["-f", "site", "--etc", "/x"], ["--etc", "/x"]])
def test_other_words_are_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="expected -f NAME --etc DIR"):
        parse(words, {})
