"""What a master is started with: `PYTHON boot.py -f NAME --etc DIR [-v]`.

PYTHON may be the interpreter of an app's virtual environment, where nobody installed skitaid. So this file is run by
its path, needs the standard library alone, and puts skitaid and its dependencies after everything that environment has.
"""

from __future__ import annotations

import os
import sys

PATH = "SKITAID_PATH"
"""Environment: the folders where the dependencies of the skitaid that started us are found."""


def find_skitaid() -> None:
    """Make `import skitaid` mean the package this file is part of, and `import skitai` its names of the ancestor."""
    here = os.path.dirname(os.path.abspath(__file__))
    # Python put this folder first, because the file in it was run; its modules are no top-level modules.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    root = os.path.dirname(os.path.dirname(here))
    compat = os.path.join(root, "skitaid", "compat")
    for folder in (root, compat, *os.environ.get(PATH, "").split(os.pathsep)):
        if folder and folder not in sys.path:
            sys.path.append(folder)


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  (PYTHON is the conf author's choice)
        print(f"{sys.executable} is Python {sys.version.split()[0]}: skitaid needs 3.11 or later", file=sys.stderr)
        return 2
    find_skitaid()
    from skitaid.instance.master import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
