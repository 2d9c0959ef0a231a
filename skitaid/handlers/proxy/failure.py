"""What becomes of a request that no member answered: a page that tells a stranger nothing, and a line in the server's
log that tells who runs the site everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skitaid.engine.stream import Stream
from skitaid.upstream.errors import Failure, UpstreamError

__all__ = ["FailureLog", "page_text"]

_TEXTS: Final = {
    502: "The server that answers here gave no proper answer.",
    503: "No server is there to answer now. Try again in a moment.",
    504: "The server that answers here took too long.",
}
_LINES_A_SECOND: Final = 20


def page_text(error: UpstreamError) -> str:
    """For the page of an error."""
    return _TEXTS.get(error.status, _TEXTS[502])


class FailureLog:
    """Writes down, for a mount, which requests no member answered. `where`: its host and path, for people; `write` is
    told a line at a time. A site whose members are gone fails thousands of times a second: past a few lines they are
    counted."""

    def __init__(self, where: str, alias: str, write: Callable[[str], None]) -> None:
        self._where = where
        self._alias = alias
        self._write = write
        self._second = 0
        self._lines = 0

    def note(self, stream: Stream, error: UpstreamError, *, outcome: str) -> None:
        """A request failed. `outcome`: what its client got."""
        if error.failure is Failure.CANCELLED:
            return
        second = int(stream.connection.engine.now)
        if second != self._second:
            left_out = self._lines - _LINES_A_SECOND
            self._second, self._lines = second, 0
            if left_out > 0:
                self._write(f"{self._where} @{self._alias}: {left_out} more failed in the same way within a second")
        self._lines += 1
        if self._lines <= _LINES_A_SECOND:
            self._write(self._line(stream, error, outcome))

    def _line(self, stream: Stream, error: UpstreamError, outcome: str) -> str:
        line = stream.head.line
        asked = f"{line.method} {line.target}"[:200]
        return f"{self._where} @{self._alias}: {error} ({asked}, {outcome}, {stream.gtxnid})"
