"""`skitaid`: reads the command line, carries the command out, turns errors into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

from skitaid.cli import help as help_text
from skitaid.cli.options import Options, UsageError, parse
from skitaid.cli.session import Session, complain_error, complain_problems, out
from skitaid.exceptions import ConfError, SkitaidError

FINE = 0
REFUSED = 1
WRONG = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the console script. Returns the exit code."""
    program = program_name(sys.argv[0])
    return guarded(lambda: _carry_out(program, sys.argv[1:] if arguments is None else arguments), program)


def guarded(action: Callable[[], int], program: str) -> int:
    """Run `action`. What the person at the terminal can mend becomes a message and an exit code; anything else is a
    fault of this program and keeps its traceback."""
    fill_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have letters that the terminal's encoding lacks
    try:
        return _flushed(action)
    except UsageError as error:
        complain_error(f"{error}\nhelp: {program} --help")
        return WRONG
    except ConfError as error:
        complain_problems(error.problems)
        return WRONG
    except SkitaidError as error:
        complain_error(str(error))
        return REFUSED
    except BrokenPipeError:
        return _quiet_pipe()
    except OSError as error:
        complain_error(describe(error))
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def fill_streams() -> None:
    """Let standard streams that are closed (`skitaid start <&-`) lead to nowhere: else the first files that we open
    would be in their places, and a daemon's lock be taken for its standard input."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", closefd=False))  # noqa: SIM115  (ours to keep)


def describe(error: OSError) -> str:
    """An error of the system as a sentence that says what to do."""
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, PermissionError):
        return f"{what}; run this as the user that owns the daemon (root, when it was installed)"
    return what


def program_name(argv0: str) -> str:
    """The program as typed: a path stays a path where the shell would not find the name, so that hints can be
    copied."""
    folder, name = os.path.split(argv0)
    if not name.startswith("skitaid"):
        return "skitaid"
    return name if folder in os.environ.get("PATH", "").split(os.pathsep) else argv0


def _flushed(action: Callable[[], int]) -> int:
    code = action()
    sys.stdout.flush()  # here, where a closed pipe is caught
    return code


def _quiet_pipe() -> int:
    """The reader has gone (`skitaid log | head`): not an error, and the interpreter must not say so at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FINE


def _carry_out(program: str, arguments: Sequence[str]) -> int:
    options = parse(arguments)
    if options.version:
        from skitaid import __version__

        out(f"skitaid {__version__}")
        return FINE
    if options.help:
        out(_help(program, options, arguments))
        return FINE
    return _command(Session(options, etc_folder(options), program))


def _help(program: str, options: Options, arguments: Sequence[str]) -> str:
    if options.typed in arguments:
        return help_text.of_command(program, options.command)
    return help_text.overview(program)


def etc_folder(options: Options) -> Path:
    from skitaid.config.load import etc_root

    return etc_root(options.etc, os.environ)


def _command(session: Session) -> int:
    from importlib import import_module

    module = import_module(f"skitaid.cli.{session.options.command.module}")
    code: int = module.run(session)
    return code


if __name__ == "__main__":
    sys.exit(main())
