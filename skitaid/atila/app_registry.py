"""The apps of this process by the names of their files: `was.apps["search"]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["APPS", "register"]


class _Apps(Mapping[str, Any]):
    """Holds the apps weakly: one that is thrown away leaves the registry too."""

    def __init__(self) -> None:
        self._by_name: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def __getitem__(self, name: str) -> Any:
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise KeyError(f"no app has the name {name!r}; there are {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._by_name))

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, name: str, app: Any) -> None:
        self._by_name[name] = app


APPS = _Apps()


def register(name: str, app: Any) -> None:
    """Let `was.apps[name]` be `app`, for as long as somebody holds it. Of two with one name the last counts."""
    APPS.add(name, app)
