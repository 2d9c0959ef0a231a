"""Leaving the terminal: the daemon is another process, with no terminal, no parent of ours, in the folder "/".

python-daemon's part is `start` alone. The process that it detaches then executes the supervisor, so that nothing of
the command line stays in the resident process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

from skitaid.exceptions import RefusedError

UMASK = 0o022


def require_package() -> None:
    """Make sure of python-daemon, while there is a terminal to complain on. Raises RefusedError when it is missing."""
    try:
        import daemon  # noqa: F401
    except ImportError as error:
        fix = f"in a checkout make venv, else {sys.executable} -m pip install python-daemon"
        text = f"start needs the package python-daemon ({error}): {fix}; or stay in the foreground: start -v"
        raise RefusedError(text) from error


def run_detached(action: Callable[[], NoReturn], keep: Sequence[int], errors_to: Path) -> None:
    """Run `action` in a process of its own that has left the terminal, with the descriptors `keep` open and standard
    error going to the file `errors_to`. Returns in this process once the other is on its way. Raises OSError when
    that file cannot be opened."""
    errors_to.parent.mkdir(parents=True, exist_ok=True)
    with open(errors_to, "ab", opener=_opener) as errors:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _leave(action, keep, errors)
    os.waitpid(pid, 0)


def _leave(action: Callable[[], NoReturn], keep: Sequence[int], errors: BinaryIO) -> NoReturn:
    """Nothing may come back from here into the command line's code: there are two of us now."""
    try:
        _detach(keep, errors)
        action()
    except Exception:  # noqa: BLE001  (the root of a process)
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _detach(keep: Sequence[int], errors: BinaryIO) -> None:
    from daemon import DaemonContext

    # signal_map: by default it ignores signals, which the supervisor and all its children would inherit
    context = DaemonContext(
        umask=UMASK,
        detach_process=True,
        working_directory="/",
        stdout=errors,
        stderr=errors,
        signal_map={},
        files_preserve=[*keep, errors.fileno()],
    )
    context.open()


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
