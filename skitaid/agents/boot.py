"""What an agent is started with: `PYTHON boot.py -f NAME --etc DIR [-v]`, NAME being `smtpda` or `cron`.

Run by its path, because the folder it is started in is no place to find the package in.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if not __package__:
    # Python put this file's folder first on the path, where our modules would hide others of the same name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from skitaid.agents.arguments import parse


def main(words: list[str]) -> int:
    """The exit code. Each agent's module `agent` has `run(arguments)`."""
    try:
        arguments = parse(words)
    except ValueError as error:
        print(f"skitaid.agents: {error}", file=sys.stderr)
        return 2
    code: int = import_module(f"skitaid.agents.{arguments.name}.agent").run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
