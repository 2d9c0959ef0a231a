"""`app.store`: values that the threads of a worker share."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from threading import Lock
from typing import Any

__all__ = ["Store"]


class Store(MutableMapping[str, Any]):
    """A dict; `set`, `get` and `add` are atomic. Each worker has its own."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lock = Lock()

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or the default."""
        return self._values.get(name, default)

    def set(self, name: str, value: Any) -> None:
        """Keep a value under `name`."""
        self[name] = value

    def add(self, name: str, amount: Any = 1) -> Any:
        """Add to a number, 0 if there is none, and get the new one."""
        with self._lock:
            value = self._values[name] = self._values.get(name, 0) + amount
            return value

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        with self._lock:
            self._values[name] = value

    def __delitem__(self, name: str) -> None:
        with self._lock:
            del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)
