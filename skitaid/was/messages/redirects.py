"""Where a response sends a request next (RFC 9110 section 15.4). Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.target import Target, parse_target

__all__ = ["MAX_REDIRECTS", "REDIRECTS", "next_method", "next_target"]

MAX_REDIRECTS: Final = 10
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def next_method(method: str, status: int, *, keeps_method: bool = False) -> str:
    """The method of the request that follows a response of that status; GET has no body. `keeps_method`: a remote
    procedure is no page, it is called at the new place."""
    if status in (307, 308) or method in ("GET", "HEAD"):
        return method
    if status == 303:
        return "GET"
    # 301 and 302: what everybody makes of a POST, and section 15.4.2 allows.
    return "GET" if method == "POST" and not keeps_method else method


def next_target(target: Target, location: str) -> Target:
    """What Location names, seen from `target`: a place of the same alias, or of the origin that it names. Raises
    ReplyError."""
    here = "http://alias" if target.alias is not None else f"{target.scheme}://{target.authority}"
    try:
        joined = urljoin(here + target.path, location.strip())
        if target.alias is not None and not _names_host(location):
            return Target(target.alias, "", "", 0, parse_target(joined).path)
        return parse_target(joined)
    except (CallError, ValueError) as error:
        raise ReplyError(f"the response leads to a place that cannot be reached: {error}") from error


def _names_host(location: str) -> bool:
    head = location.strip().partition("?")[0].partition("#")[0]
    return head.startswith("//") or ":" in head.partition("/")[0]
