"""A whole response, as functions of an app return one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

__all__ = ["Fields", "Reply", "check_field", "status_line"]

Fields = list[tuple[str, str]]

_LINE: Final = re.compile(r"[1-5][0-9]{2} [\t\x20-\x7e]*").fullmatch
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_IS_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch


class Reply:
    """A response: status, fields, and a body or the page of the status. `status`: None is that of was.response. `body`:
    anything a function may return; None stands for the page of the status. `explain`: what such a page tells besides.
    `exc_info`: an exception that it shows, debug or not."""

    __slots__ = ("body", "exc_info", "explain", "headers", "status")

    def __init__(
        self,
        status: str | None = None,
        body: Any = None,
        headers: Iterable[tuple[str, str]] | None = None,
        *,
        explain: str = "",
        exc_info: Any = None,
    ) -> None:
        self.status = None if status is None else status_line(status)
        self.body = body
        self.headers: Fields = [] if headers is None else list(headers)
        self.explain = explain
        self.exc_info = exc_info


def status_line(status: str | int) -> str:
    """`404 Not Found`, for 404 too. Raises ValueError for what is none."""
    text = str(status).strip()
    if text.isdecimal() and len(text) == 3:
        try:
            return f"{text} {HTTPStatus(int(text)).phrase}"
        except ValueError:
            return f"{text} Status {text}"
    if _LINE(text) is None:
        raise ValueError(f"{status!r} is not a status, expected one such as '404 Not Found' or 404")
    return text


def check_field(name: Any, value: Any) -> tuple[str, str]:
    """A field that can be sent (RFC 9110 section 5). Raises ValueError: what holds a line break would be two, no
    control sign but the tab may stand in one, and its name is a token."""
    text = str(value)
    if _FORBIDDEN(text) or not _IS_NAME(str(name)):
        raise ValueError(f"this is not a field: its name is {name!s:.100}, its value {text[:1000]!r}")
    if not text.isascii():
        # WSGI has the bytes of a field as latin-1.
        text = text.encode("utf-8").decode("latin-1")
    return str(name), text
