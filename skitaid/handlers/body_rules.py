"""What holds for the bodies of one mount's requests and responses. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from skitaid.protocols.http1.head import RequestHead

__all__ = ["NO_RULES", "BodyRules"]

_MULTIPART: Final = b"multipart/"


@dataclass(frozen=True, slots=True)
class BodyRules:
    """What holds for the bodies of one mount. `max_bytes`: of a request's body; `max_form_bytes`: of one that is a
    multipart form; None: no limit. `is_streamed`: the app gets it as it comes. `may_code`: responses are compressed if
    that pays."""

    max_bytes: int | None = None
    max_form_bytes: int | None = None
    is_streamed: bool = False
    may_code: bool = False

    @staticmethod
    def of(max_bytes: int | None) -> BodyRules:
        """One limit for every kind of body."""
        return BodyRules(max_bytes, max_bytes)

    def limit(self, head: RequestHead) -> int | None:
        """In bytes, for a request that has a body."""
        if self.max_bytes == self.max_form_bytes:
            return self.max_bytes
        kind = head.fields.get(b"content-type") or b""
        return self.max_form_bytes if kind[: len(_MULTIPART)].lower() == _MULTIPART else self.max_bytes

    @staticmethod
    def refusal(head: RequestHead, limit: int | None) -> str | None:
        """The text of a 413, for a body that is announced as longer than `limit` bytes; None: it is not."""
        length = head.content_length
        if limit is None or length is None or length <= limit:
            return None
        return f"The body may be {limit} bytes long at most."


NO_RULES: Final = BodyRules()
