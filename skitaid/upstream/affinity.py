"""What makes two requests belong to the same member: the value of a header field, or of a cookie."""

from __future__ import annotations

from dataclasses import dataclass

from skitaid.protocols.headers import HeaderBlock

__all__ = ["Affinity"]


@dataclass(frozen=True, slots=True)
class Affinity:
    """Where a request's key stands. `name`: of the header field, in lower case, or of the cookie, as it is written."""

    name: bytes
    is_cookie: bool = False

    def key_of(self, fields: HeaderBlock) -> bytes | None:
        """The key for `Call.affinity`; None for a request that has none: it may go anywhere."""
        if not self.is_cookie:
            return fields.get(self.name) or None
        for line in fields.fields:
            # HTTP/2 may split Cookie into several fields (RFC 9113 section 8.2.3)
            if line.name == b"cookie" and (value := _cookie(line.value, self.name)):
                return value
        return None


def _cookie(value: bytes, name: bytes) -> bytes | None:
    """RFC 6265 section 4.2.1: `name=value` pairs, of which the first counts."""
    for pair in value.split(b";"):
        found, equals, content = pair.strip(b" \t").partition(b"=")
        if equals and found == name:
            return content
    return None
