"""The name under which a process is listed by ps and top."""

from __future__ import annotations

__all__ = ["set_title"]


def set_title(text: str) -> None:
    """`skitaid: TEXT`. Without setproctitle (another interpreter's environment) the title stays as it is."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(f"skitaid: {text}")
