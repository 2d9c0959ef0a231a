"""The lifeline: a pipe whose write end the parent keeps and never writes to.

A child that holds the read end sees end of file the moment the parent is gone, however it went (kill -9, a crash, an
orderly end), because the kernel closes the write end. PR_SET_PDEATHSIG would do the same but is cleared when a
process changes its user. The write end must stay in the parent alone: it is close-on-exec, and a process that was
forked without exec calls `keep_read_end`.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LIFELINE_FD", "Lifeline", "inherited", "is_cut"]

LIFELINE_FD = "SKITAID_LIFELINE_FD"


@dataclass(frozen=True, slots=True)
class Lifeline:
    """Both ends, in the parent. Neither is inherited over exec unless the spawner passes it."""

    read_fd: int
    write_fd: int

    @classmethod
    def create(cls) -> Lifeline:
        return cls(*os.pipe())

    def keep_read_end(self) -> int:
        """In a forked child, first thing: close the parent's end and return the one to watch."""
        os.close(self.write_fd)
        return self.read_fd

    def close(self) -> None:
        """In the parent: let every child go."""
        os.close(self.write_fd)
        os.close(self.read_fd)


def inherited(environ: Mapping[str, str] = os.environ) -> int | None:
    """The read end that the parent passed over exec, made close-on-exec again, or None: nobody to watch."""
    text = environ.get(LIFELINE_FD, "")
    if not text.isdecimal():
        return None
    os.set_inheritable(int(text), False)
    return int(text)


def is_cut(read_fd: int) -> bool:
    """True when the parent is gone. Never blocks."""
    poller = select.poll()
    poller.register(read_fd, select.POLLIN)
    return bool(poller.poll(0))
