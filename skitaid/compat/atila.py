"""`from atila import Atila`: names of skitaid.atila under that of its ancestor."""

from __future__ import annotations

from typing import Any

import skitaid.atila as home


def __getattr__(name: str) -> Any:
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(dir(home))
