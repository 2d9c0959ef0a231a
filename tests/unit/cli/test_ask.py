"""What is printed of an answer that refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli.ask import complain_refusal
from skitaid.cli.options import parse
from skitaid.cli.session import Session


@pytest.mark.parametrize(("problems", "told"), [([], True), (["shop.conf:3: wrong"], False)])
def test_logs_are_quoted_of_what_was_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problems: list[str], *, told: bool
) -> None:
    (tmp_path / "etc").mkdir()
    session = Session(parse(["start"]), tmp_path / "etc")
    folder = session.log_folder("shop")
    folder.mkdir(parents=True)
    (folder / "server.log").write_text("2026.11.20 17:25:27 [fatal] cannot listen\n", encoding="utf-8")
    figures = {"name": "shop", "state": "fatal", "problems": problems}
    complain_refusal(session, {"message": "0 of 1 instances run; not: shop", "instances": [figures]})
    assert ("cannot listen" in capsys.readouterr().err) is told


def test_one_that_is_switched_off_is_told_how_to_be_switched_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("servers-enabled/shop.conf", "servers-available/files.conf"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    complain_refusal(Session(parse(["-f", "files", "start"]), tmp_path), {"message": "no instance 'files'"})
    told = f"; it is switched off: ln -s ../servers-available/files.conf {tmp_path}/servers-enabled/"
    assert capsys.readouterr().err.rstrip().endswith(told)
    complain_refusal(Session(parse(["-f", "shpo", "start"]), tmp_path), {"message": "no instance 'shpo'"})
    assert capsys.readouterr().err.rstrip().endswith("; did you mean shop?")
