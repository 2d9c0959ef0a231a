"""Conditional requests (RFC 9110 section 13): whether to send what was asked for, by what the client has. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from skitaid.protocols.dates import parse_http_date

__all__ = ["CONDITIONAL", "Validators", "Verdict", "judge", "range_holds"]

CONDITIONAL: Final = frozenset(
    {
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"if-range",
        b"range",
    }
)
"""What `judge` and `range_holds` look at, and Range itself: a request without any of these fields gets everything."""

# An entity tag may hold commas, so the list can't be split at them (RFC 9110 section 8.8.3).
_TAGS: Final = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")').findall
_STRONG_AFTER_S: Final = 1.0


class Verdict(Enum):
    """What the conditions of a request come to: send it, 304, or 412."""

    SEND = "send"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Validators:
    """What conditions are compared with, of the representation that would be sent: `etag` as its field has it, with
    quotes and a `W/` if it is weak; `modified` in whole seconds since the epoch. None where it has none."""

    etag: bytes | None
    modified: int | None

    @property
    def is_weak(self) -> bool:
        return self.etag is not None and self.etag.startswith(b"W/")


def judge(given: Mapping[bytes, bytes], own: Validators) -> Verdict:
    """The verdict for GET and HEAD, in the order of section 13.2.2. `given`: field values by lower-case name."""
    match = given.get(b"if-match")
    if match is not None:
        if not _names(match, own, is_weak_enough=False):
            return Verdict.FAILED
    elif (unmodified := _date(given.get(b"if-unmodified-since"))) is not None and _is_after(own.modified, unmodified):
        return Verdict.FAILED
    none_match = given.get(b"if-none-match")
    if none_match is not None:
        return Verdict.NOT_MODIFIED if _names(none_match, own, is_weak_enough=True) else Verdict.SEND
    since = _date(given.get(b"if-modified-since"))
    is_known = since is not None and own.modified is not None
    return Verdict.NOT_MODIFIED if is_known and not _is_after(own.modified, since) else Verdict.SEND


def range_holds(given: Mapping[bytes, bytes], own: Validators, now_s: float) -> bool:
    """Whether the Range field counts: If-Range is absent, or names what would be sent (section 13.1.5). A date says so
    only when it is a strong validator: the file has not been touched in the second before (section 8.8.2.2)."""
    value = given.get(b"if-range")
    if value is None:
        return True
    if value.startswith((b'"', b"W/")):
        return value == own.etag and not own.is_weak
    modified = own.modified
    return modified is not None and _date(value) == modified and now_s - modified > _STRONG_AFTER_S


def _names(value: bytes, own: Validators, *, is_weak_enough: bool) -> bool:
    """Whether a list of entity tags holds that of `own`. Comparison as in section 8.8.3.2."""
    if value.strip() == b"*":
        return True
    if own.etag is None or (own.is_weak and not is_weak_enough):
        return False
    etag = own.etag.removeprefix(b"W/")
    return any(tag == etag and (is_weak_enough or not weak) for weak, tag in _TAGS(value))


def _is_after(modified: int | None, moment: int | None) -> bool:
    return modified is not None and moment is not None and modified > moment


def _date(value: bytes | None) -> int | None:
    """None also for what is not a date: such a field is ignored (sections 13.1.3 and 13.1.4)."""
    return None if value is None else parse_http_date(value.decode("latin-1"))
