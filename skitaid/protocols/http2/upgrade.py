"""From HTTP/1.1 to HTTP/2 by Upgrade (RFC 7540 section 3.2; RFC 9113 has it no more, some clients have)."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from skitaid.protocols.headers import tokens
from skitaid.protocols.http1.head import RequestHead

__all__ = ["upgrade_settings"]

_NAME: Final = b"http2-settings"


def upgrade_settings(head: RequestHead, ahead: int) -> bytes | None:
    """The payload of SETTINGS in a request with `Upgrade: h2c`; `ahead` bytes of what follows its head are here. None:
    it is not to be switched, and a server may go on as if it had not asked. Not so one whose body is not all here: some
    clients (curl) forget to send the rest of it when they see the answer."""
    fields = [line.value for line in head.fields.fields if line.name == _NAME]
    if len(fields) != 1 or _NAME not in tokens(head.fields.get(b"connection") or b""):
        return None
    length = head.content_length
    if length is None or length > ahead or head.fields.expects_continue or not head.line.minor:
        return None
    try:
        settings = base64.b64decode(fields[0] + b"=" * (-len(fields[0]) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return None if len(settings) % 6 else settings
