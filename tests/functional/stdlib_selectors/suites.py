"""Runs one of CPython's own test modules on the engine's selector and loop: `suites.py NAME [turn|busy]`.

A program of its own, as those tests set signal handlers, loop policies and child watchers. The classes they test are
replaced before they are imported, so the very same code runs under every version of Python.

With `turn` the selector has a turn of its own, as in a worker: polls that last 5 ms at most. With `busy` it also serves
a descriptor that is readable all the time.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import selectors
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from skitaid.engine.selector import EngineLoop, EngineSelector  # noqa: E402

SUITES = {
    "selectors": ("test.test_selectors", ("EpollSelectorTestCase",)),
    "events": ("test.test_asyncio.test_events", ("EPollEventLoopTests",)),
    "sockets": ("test.test_asyncio.test_sock_lowlevel", ("EPollEventLoopTests",)),
    "sendfile": ("test.test_asyncio.test_sendfile", ("EPollEventLoopTests",)),
    "servers": ("test.test_asyncio.test_server", ("SelectorStartServerTests",)),
    "streams": ("test.test_asyncio.test_streams", ("StreamTests",)),
    "subprocesses": ("test.test_asyncio.test_subprocess", ("SubprocessThreadedWatcherTests",)),
}
MISSING = 77
"""Exit code: this Python has no `test` package."""


class ShortTurn:
    """Polls that last 5 ms at most."""

    def begin(self, event_count: int) -> None:
        """Nothing to do before a batch."""

    def end(self) -> float:
        return 0.005


class AlwaysReady:
    """A descriptor on which there is an event at every poll."""

    def __init__(self) -> None:
        self.fd, writer = os.pipe()
        os.write(writer, b"x")
        os.close(writer)

    def on_event(self, mask: int) -> None:
        """Leaves the byte where it is."""

    def on_failure(self) -> None:
        """Cannot fail."""


class TestedSelector(EngineSelector):
    """An EngineSelector in the surroundings that the command line asks for."""

    how = ""

    def __init__(self) -> None:
        super().__init__()
        self._always_ready: AlwaysReady | None = None
        if self.how:
            self.turn = ShortTurn()
        if self.how == "busy":
            self._always_ready = AlwaysReady()
            self.serve(self._always_ready.fd, self._always_ready)

    def _fail(self, one: object) -> None:
        """What fails in AlwaysReady is a signal handler, which raises wherever it happens to be called."""
        if one is self._always_ready:
            raise  # noqa: PLE0704  # what is being handled
        super()._fail(one)  # type: ignore[arg-type]

    def close(self) -> None:
        if self._always_ready is not None:
            os.close(self._always_ready.fd)
            self._always_ready = None
        super().close()


class TestedLoop(EngineLoop):
    """An EngineLoop made the ways asyncio makes its loops."""

    def __init__(self, selector: EngineSelector | None = None) -> None:
        super().__init__(selector or TestedSelector())


def replace() -> None:
    """Let CPython's tests meet our classes under the names they use."""
    asyncio.SelectorEventLoop = TestedLoop  # type: ignore[misc,assignment]
    selectors.EpollSelector = TestedSelector  # type: ignore[misc,assignment]
    asyncio.DefaultEventLoopPolicy._loop_factory = TestedLoop  # type: ignore[attr-defined]


def main(name: str, how: str = "") -> int:
    TestedSelector.how = how
    replace()
    module_name, classes = SUITES[name]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        print(f"this Python comes without its own tests: {error}", file=sys.stderr)
        return MISSING
    loader = unittest.defaultTestLoader
    found = [getattr(module, each) for each in classes if hasattr(module, each)]
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(each) for each in found)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    print(f"ran {result.testsRun}, skipped {len(result.skipped)}")
    return 0 if result.wasSuccessful() and result.testsRun > len(result.skipped) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
