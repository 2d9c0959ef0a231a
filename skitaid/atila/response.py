"""`was.response`: what a response has beside its body, and ways to make one."""

from __future__ import annotations

from skitaid.atila.contracts import Was

__all__ = ["Response"]


class Response:
    """The status and the fields of the response to be; called, it makes a whole one."""

    def __init__(self, was: Was) -> None:
        self._was = was
        self.status = "200 OK"
        self.headers: list[tuple[str, str]] = []

    def add_header(self, name: str, value: str) -> None:
        """One more field, whatever there is of that name: Set-Cookie, for one."""
        self.headers.append((name, value))
