"""`was.redirect`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from skitaid.atila.contracts import Was
from skitaid.atila.responses.reply import Reply

__all__ = ["redirect"]


def redirect(
    was: Was,
    location: str,
    status: str | int = "302 Found",
    body: Any = "",
    headers: Iterable[tuple[str, str]] = (),
) -> Reply:
    """A response that sends the client to `location`, a URL or a path. Raises ValueError for a status that is none."""
    # What is quoted already stays as it is.
    target = quote(location, safe="/:?#[]@!$&'()*+,;=%~-._", errors="replace")
    return Reply(str(status), body, [("Location", target), *headers])
