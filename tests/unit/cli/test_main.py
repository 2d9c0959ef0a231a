from __future__ import annotations

import errno
import io
from collections.abc import Callable

import pytest

from skitaid import __version__
from skitaid.cli import main as cli
from skitaid.cli.options import UsageError
from skitaid.exceptions import ConfError, Problem, RefusedError


def failing(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("unknown command 'x'"), 2, "skitaid: unknown command 'x'\nhelp: prog --help\n"),
        (
            ConfError([Problem("a.conf", 3, "wrong", "mend it"), Problem("a.conf", 5, "odd", is_warning=True)]),
            2,
            "a.conf:3: wrong (mend it)\na.conf:5: warning: odd\n",
        ),
        (RefusedError("not running"), 1, "skitaid: not running\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
            1,
            "skitaid: /x: No such file or directory\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            1,
            "skitaid: /x: Permission denied; run this as the user that owns the daemon (root, when it was installed)\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_person_can_mend_is_a_message_and_an_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.guarded(failing(error), "prog") == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", said)


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.guarded(lambda: 1 // 0, "prog")


def test_letters_that_the_terminal_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)

    def action() -> int:
        print("/srv/wörk")
        return 0

    assert cli.guarded(action, "prog") == 0
    assert terminal.buffer.getvalue() == b"/srv/w\\xf6rk\n"


def test_help_and_version_need_no_conf(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--etc", "/nowhere", "--help"]) == 0
    assert "Commands (with -f NAME" in capsys.readouterr().out
    assert cli.main(["log", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: ")
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"skitaid {__version__}\n"


@pytest.mark.parametrize(
    ("argv0", "program"),
    [
        ("bin/skitaid.py", "bin/skitaid.py"),
        ("/opt/x/skitaid.py", "/opt/x/skitaid.py"),
        ("/usr/local/bin/skitaid.py", "skitaid.py"),
        ("/usr/lib/python3/pytest", "skitaid"),
    ],
)
def test_hints_name_the_program_as_it_was_typed(argv0: str, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/usr/local/bin")
    assert cli.program_name(argv0) == program


def test_a_missing_conf_folder_says_how_to_name_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--etc", "/nowhere/at/all", "status"]) == 2
    assert "--etc DIR or SKITAID_ETC" in capsys.readouterr().err
