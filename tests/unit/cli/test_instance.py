from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli import instance
from skitaid.cli.options import UsageError
from skitaid.instance.lock import InstanceLock


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    enabled = tmp_path / "servers-enabled"
    enabled.mkdir()
    (tmp_path / "app.py").write_text("app = 1")
    (enabled / "shop.conf").write_text("[server]\nport = 5099\nuser = nobody\n[routes:line]\n/ = ../app\n")
    (enabled / "bad.conf").write_text("[server]\nprot = 5099\n")
    return tmp_path


def run(etc: Path, *arguments: str) -> int:
    return instance.main(["--etc", str(etc), *arguments])


def test_options_are_read() -> None:
    assert instance.parse(["-f", "a", "-vt", "-l", "/x", "-p"]) == {
        "name": "a",
        "verbose": "",
        "test": "",
        "log": "/x",
        "print": "",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which instance? -f NAME is missing"),
        (["shop"], "expected options only, found 'shop'; an instance is named with -f shop"),
        (["-f", "a", "--tset"], "unknown option --tset; did you mean --test?"),
    ],
)
def test_a_wrong_command_line_says_what_was_expected(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        instance.parse(arguments)
    assert str(caught.value) == message


def test_t_validates_one_conf(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(etc, "-f", "shop", "-t") == 0
    assert capsys.readouterr().out.endswith("shop.conf: in order\n")
    assert run(etc, "-f", "bad", "-t") == 2
    assert "bad.conf:2: [server] prot: unknown key (did you mean port?)" in capsys.readouterr().err


def test_p_prints_the_effective_conf(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(etc, "-f", "shop", "-p") == 0
    assert "threads = 4" in capsys.readouterr().out


def test_one_that_runs_is_not_begun_again(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (etc / "skitaid.conf").write_text("[global]\nrun_path = run\n")
    lock = InstanceLock.take(etc / "run", "shop")
    try:
        assert run(etc, "-f", "shop") == 1
    finally:
        lock.release()
    assert "shop is running already; stop it first: skitaid -f shop stop" in capsys.readouterr().err


def test_an_unknown_name_gets_the_nearest(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(etc, "-f", "shpo") == 1
    assert "did you mean shop?" in capsys.readouterr().err


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert instance.main(["-h"]) == 0
    shown = capsys.readouterr().out
    assert all(option.spelling in shown for option in instance.OPTIONS)
