"""How a call to another server ends when no complete response came of it."""

from __future__ import annotations

from enum import Enum

from skitaid.exceptions import SkitaidError

__all__ = ["Failure", "UpstreamError"]


class Failure(Enum):
    """What went wrong; the value is the status (RFC 9110 section 15.6) that a proxy answers its client with."""

    NO_MEMBER = (503, "no member is available")
    SATURATED = (503, "too many calls wait for a connection")
    UNRESOLVED = (502, "the name has no address")
    UNREACHABLE = (502, "the connection was not made")
    UNTRUSTED = (502, "TLS failed")
    CONNECT_TIMEOUT = (504, "the connection was not made in time")
    READ_TIMEOUT = (504, "nothing came for too long")
    TOTAL_TIMEOUT = (504, "the response was not complete in time")
    RESET = (502, "the connection was closed before a response")
    INVALID = (502, "what came is not a response")
    TOO_LARGE = (502, "the response is larger than it may be")
    TRUNCATED = (502, "the response ended before its end")
    CANCELLED = (499, "the caller gave up")

    @property
    def status(self) -> int:
        return self.value[0]


class UpstreamError(SkitaidError):
    """No complete response. Whoever runs the member must act, or nobody.

    `failure` is the kind, `member` the address it was with ("" when there was none). `is_unsent`: not a byte of the
    request can have reached an application, so that it may be sent elsewhere whatever its method.
    """

    def __init__(self, failure: Failure, detail: str = "", *, member: str = "", is_unsent: bool = False) -> None:
        self.failure = failure
        self.detail = detail
        self.member = member
        self.is_unsent = is_unsent
        where = f"{member}: " if member else ""
        super().__init__(f"{where}{failure.value[1]}{': ' + detail if detail else ''}")

    @property
    def status(self) -> int:
        """What a proxy answers its client with."""
        return self.failure.status
