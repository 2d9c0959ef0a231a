"""The supervisor's process, as `entry.Arguments.argv` starts it: by the path of this file, because the folder it is
started in is no place to find the package in."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Python put this file's folder first on the path, where our modules would hide others of the same name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from skitaid.supervisor.entry import parse
from skitaid.supervisor.supervisor import Settings, run


def main(words: list[str]) -> int:
    try:
        given = parse(words)
    except ValueError as error:
        print(f"skitaid.supervisor: {error}", file=sys.stderr)
        return 2
    return run(Settings(given.etc.absolute(), given.only, given.verbose, given.lock_fd, given.ready_fd))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
