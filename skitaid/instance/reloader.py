"""Whether the source of an app changed since it was loaded (`use_reloader`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

__all__ = ["Reloader"]


class Reloader:
    """`files` names the source files that are loaded now; apps import more of them as they run."""

    def __init__(self, files: Callable[[], Iterable[str]]) -> None:
        self._files = files
        self._seen: dict[str, int] = {}
        self.has_changed()

    def has_changed(self) -> bool:
        """True once for each change. A file that is gone may be an editor's half-way state: it counts when it is
        back."""
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
