"""Transaction ids. The global one (gtxnid) is given to a request that comes from outside and goes with every call that
is made for it, through all the servers it touches; the local one (ltxnid) tells those calls apart: its first digit
is the depth of the call, the others count the calls.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

__all__ = ["FIRST_LTXNID", "gtxnid_source", "is_gtxnid", "is_ltxnid", "ltxnids", "next_ltxnid"]

FIRST_LTXNID: Final = "1000"
"""Of a request that comes from outside."""

_GTXNID: Final = re.compile(rb"[0-9A-Za-z._~:@+/=-]{1,128}").fullmatch
_LTXNID: Final = re.compile(rb"[1-9][0-9]{3,11}").fullmatch
_DEEPEST: Final = 9


def gtxnid_source(worker: str | None = None) -> Callable[[], str]:
    """A function that gives ids, `GTID-C9f86d081884c7d65-R1` and so on. For one thread.

    `worker` tells workers apart, on every machine and after every restart: 64 random bits where it is not given, so
    it must be called after the fork.
    """
    # A generator's own method is the cheapest call there is.
    return _numbered(f"GTID-C{worker or os.urandom(8).hex()}-R").__next__


def _numbered(prefix: str) -> Iterator[str]:
    """0.04 µs each; writing every number anew would take twice as long."""
    tails = [f"{number:02d}" for number in range(100)]
    for number in range(1, 100):
        yield f"{prefix}{number}"
    for hundreds in count(1):
        head = f"{prefix}{hundreds}"
        for tail in tails:
            yield head + tail


def is_gtxnid(value: bytes) -> bool:
    """Whether an id that came in can be passed on and logged as it is."""
    return _GTXNID(value) is not None


def is_ltxnid(value: bytes) -> bool:
    """Whether `value` is a depth and at least three digits."""
    return _LTXNID(value) is not None


def next_ltxnid(ltxnid: str, nth: int) -> str:
    """The id of the `nth` call, counted from 1, out of a request with `ltxnid`: 2001, 2002 … out of 1000, 3002, 3003 …
    out of 2001. A depth past 9 stays 9."""
    depth, calls = int(ltxnid[0]), int(ltxnid[1:])
    return f"{min(depth + 1, _DEEPEST)}{calls + nth:03d}"


def ltxnids(ltxnid: str) -> Iterator[str]:
    """The ids of the calls out of a request with `ltxnid`, in order."""
    return (next_ltxnid(ltxnid, nth) for nth in count(1))
