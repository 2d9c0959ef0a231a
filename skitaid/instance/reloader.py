"""Whether the source of an app changed since it was loaded (`use_reloader`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

__all__ = ["Reloader"]


class Reloader:
    """Notices changes of files. `files` names the source files that are loaded now; apps import more of them as they
    run. `since_ns` is when loading began (wall clock): what was written from then until now may have been read before
    it was."""

    def __init__(self, files: Callable[[], Iterable[str]], *, since_ns: int | None = None) -> None:
        self._files = files
        self._seen: dict[str, int] = {}
        self._look()
        now_ns = time.time_ns()
        # A time in the future (a clock that is wrong, an unpacked archive) would seem a change after every reload.
        self._is_late = since_ns is not None and any(since_ns <= at <= now_ns for at in self._seen.values())

    def has_changed(self) -> bool:
        """True once for each change. A file that is gone may be an editor's half-way state: it counts when it is
        back."""
        was_late, self._is_late = self._is_late, False
        return self._look() or was_late

    def _look(self) -> bool:
        has_changed = False
        for path in self._files():
            try:
                modified = os.stat(path).st_mtime_ns
            except OSError:
                continue
            if self._seen.setdefault(path, modified) != modified:
                self._seen[path] = modified
                has_changed = True
        return has_changed
