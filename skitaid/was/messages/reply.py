"""What came of a call: as it arrives on the loop (`Reply`), and for an app, as values (`Decoded`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from skitaid.exceptions import SkitaidError
from skitaid.was.messages.errors import without_frames
from skitaid.was.messages.fields import Fields, Headers

__all__ = ["Decoded", "Decoder", "Reply", "reason_of"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response, its body as it came over the wire. `url`: where it came from, after redirects; `method`:
    of the request that it answers. `max_bytes`: what its body may become when it is unpacked."""

    status_code: int
    reason: str
    fields: Fields
    body: bytes = b""
    trailers: Fields = ()
    url: str = ""
    method: str = "GET"
    max_bytes: int = 1 << 26


@dataclass(frozen=True, slots=True)
class Decoded:
    """A reply as an app sees it. `content`: the body without its content coding; `data`: what it means. `error`: why
    there is no data, or the fault that a remote procedure answered with; then `status_code` is no success.
    """

    status_code: int
    reason: str
    headers: Headers
    content: bytes
    data: object
    error: SkitaidError | None = None

    def with_data(self, data: object) -> Decoded:
        """The same, with its meaning."""
        return replace(self, data=data)

    def with_error(self, error: SkitaidError, status: int) -> Decoded:
        """The same, failed."""
        without_frames(error)
        return replace(self, status_code=status, reason=reason_of(status), error=error, data=None)


Decoder = Callable[[Reply], Decoded]
"""Never raises: what cannot be decoded is an error of the result. Called by whoever waits for it, not on the loop."""


def reason_of(status: int) -> str:
    """The usual phrase; "" for a status without one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
