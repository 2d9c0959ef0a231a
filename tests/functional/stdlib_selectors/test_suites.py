"""CPython's own tests of selectors and of asyncio's selector loops, passed by EngineSelector and EngineLoop."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("suites.py")
CASES = [
    ("selectors", ""), ("selectors", "busy"), ("events", ""), ("events", "turn"), ("events", "busy"),
    ("sockets", "turn"), ("sockets", "busy"), ("sendfile", "busy"), ("servers", "busy"),
    ("streams", "busy"), ("subprocesses", "busy"),
]  # fmt: skip
LIMIT_S = 240
HAS_TESTS = importlib.util.find_spec("test.test_asyncio") is not None


@pytest.mark.time_limit(LIMIT_S + 10)
@pytest.mark.parametrize(("suite", "how"), CASES)
def test_passes(suite: str, how: str) -> None:
    """`how`: the selector alone, with a turn of its own as in a worker, and with a descriptor that is always ready."""
    if not HAS_TESTS:
        pytest.skip(f"NOT TESTED: {sys.executable} comes without the `test` package (Debian: libpython3-testsuite)")
    done = subprocess.run(
        [sys.executable, "-X", "dev", str(PROGRAM), suite, *([how] if how else [])],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
