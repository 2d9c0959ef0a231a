"""What runs around single functions of an app: part of skitaid.atila.app.Atila."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from skitaid.atila.dispatch.marks import marks_of
from skitaid.atila.dispatch.testing_params import make_guard

__all__ = ["Preworks"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]


class Preworks:
    """Decorators that stand below `@app.route`."""

    def run_before(self, *functions: Callable[[Any], Any]) -> Decorator[Any]:
        """Each `function(was)` runs before the function; what one returns, unless it is None, is the response."""

        def decorate(function: Decorated) -> Decorated:
            marks_of(function).before[:0] = functions
            return function

        return decorate

    def run_after(self, *functions: Callable[[Any], Any]) -> Decorator[Any]:
        """Each `function(was)` runs after the function; what it returns is of no account."""

        def decorate(function: Decorated) -> Decorated:
            marks_of(function).after[:0] = functions
            return function

        return decorate

    preworks = run_before
    postworks = run_after

    def test_params(self, scope: str, required: Any = None, **tests: Any) -> Decorator[Any]:
        """What the values of a request must be, else it is answered 400. See skitaid.atila.dispatch.testing_params."""
        guard = make_guard(scope, required, tests)

        def decorate(function: Decorated) -> Decorated:
            marks_of(function).parameters.insert(0, guard)
            return function

        return decorate

    test_param = test_params

    def if_file_modified(self, path: str, function: Callable[[Any, str], Any], interval: float = 1) -> Decorator[Any]:
        """`function(was, path)` runs before the function when the file was modified since the app began; looked at
        every `interval` seconds."""
        watch = _FileWatch(path, interval)

        def guard(was: Any) -> Any:
            return function(was, path) if watch.is_modified(time.monotonic()) else None

        def decorate(decorated: Decorated) -> Decorated:
            marks_of(decorated).before.insert(0, guard)
            return decorated

        return decorate

    def if_updated(self, key: str, function: Callable[[Any, str], Any]) -> Decorator[Any]:
        """`function(was, key)` runs before the function when was.setlu(key) was called, in any worker, since it ran
        last; it runs at the first request too if it was called before that."""
        seen = [0.0]

        def guard(was: Any) -> Any:
            updated = was.getlu(key)
            if updated <= seen[0]:
                return None
            seen[0] = updated
            return function(was, key)

        def decorate(decorated: Decorated) -> Decorated:
            marks_of(decorated).before.insert(0, guard)
            return decorated

        return decorate


class _FileWatch:
    """Whether a file was modified since the last look that found it so."""

    def __init__(self, path: str, interval_s: float) -> None:
        self._path = path
        self._interval_s = interval_s
        self._looked = 0.0
        self._modified_ns = self._read()

    def is_modified(self, now: float) -> bool:
        if now - self._looked < self._interval_s:
            return False
        self._looked = now
        before, self._modified_ns = self._modified_ns, self._read()
        return self._modified_ns != before

    def _read(self) -> int:
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return 0
