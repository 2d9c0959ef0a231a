"""The name under which a process is listed by ps and top."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

__all__ = ["set_title"]


def set_title(text: str) -> None:
    """`skitaid: TEXT`. Without setproctitle (another interpreter's environment) the title stays as it is."""
    setter = _setter()
    if setter is not None:
        setter(f"skitaid: {text}")


def _setter() -> Callable[[str], None] | None:
    """The function of the compiled part. The package around it imports logging, a megabyte for all that stay,
    to complain where it cannot be done."""
    package = find_spec("setproctitle")
    if package is None:
        return None
    spec = PathFinder.find_spec("setproctitle._setproctitle", package.submodule_search_locations)
    if spec is None or spec.loader is None:
        from setproctitle import setproctitle

        found: Callable[[str], None] = setproctitle
        return found
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    compiled: Callable[[str], None] = module.setproctitle
    return compiled
