#!/usr/bin/env python3
"""skitaid, from a checkout or beside an installed package. docs/commands.md tells what it does.

It stands alone, as its twins do: what they could share is what each has to find first.
"""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")

sys.path[:] = [entry for entry in sys.path if entry != HERE]  # else `import skitaid` finds the script beside
if os.path.isdir(os.path.join(ROOT, "skitaid", "cli")):  # a checkout: its package, in what `make venv` made
    if os.access(PYTHON, os.X_OK) and os.path.realpath(sys.prefix) != os.path.realpath(VENV):
        os.execv(PYTHON, [PYTHON, *sys.argv])
    sys.path.insert(0, ROOT)

if sys.version_info < (3, 11):  # noqa: UP036  (whoever has an older python3 must be told)
    sys.exit(
        f"skitaid needs Python 3.11 or newer, this is {sys.version.split()[0]} ({sys.executable}); "
        "in a checkout, `make venv` finds a newer one if there is one"
    )

try:
    from skitaid.cli.main import main
except ModuleNotFoundError as error:
    sys.exit(f"{error} for {sys.executable}; run `make venv` in the checkout, or `make install`")

if __name__ == "__main__":
    sys.exit(main())
