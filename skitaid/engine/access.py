"""What the request log is told of a request."""

from __future__ import annotations

import binascii
import time

from skitaid.engine.stream import Stream
from skitaid.engine.transaction import FIRST_LTXNID
from skitaid.logs.request import Record

__all__ = ["record_of", "refusal_record"]


def record_of(stream: Stream, connections: int) -> Record:
    """The record of a stream whose response is done. The client is the one that is believed; X-Forwarded-For is shown
    as it came, whoever sent it. Cost: 1 µs."""
    line = stream.head.line
    host, authorization, referer, agent, forwarded = stream.head.fields.log_fields
    user, token = _credentials(authorization) if authorization else (None, None)
    now = time.time()
    handled = stream.handled_at or now
    body = stream.body
    heard = stream.heard
    client = stream.connection.peer if heard is None or heard.client is None else heard.client[0]
    return (
        stream.started_at, client or "unix", host, line.method, line.target,
        "1.1" if line.minor else "1.0", body.received if body is not None else stream.head.content_length or 0,
        int(stream.status or 499), stream.reply_bytes, stream.gtxnid,
        FIRST_LTXNID if heard is None else heard.ltxnid, user, token, referer, agent, forwarded,
        connections, (handled - stream.started_at) * 1000.0, (now - handled) * 1000.0,
    )  # fmt: skip


def refusal_record(peer: str, gtxnid: str, status: int, *, size: int, connections: int) -> Record:
    """The record of an answer to bytes that were no request."""
    return (
        time.time(), peer or "unix", None, "-", "-", "1.1", 0, status, size,
        gtxnid, FIRST_LTXNID, None, None, None, None, None, connections, 0.0, 0.0,
    )  # fmt: skip


def _credentials(authorization: str) -> tuple[str | None, str | None]:
    """User name of Basic and Digest, token of Bearer. What can't be read is no user; refusing it is not ours."""
    scheme, _, rest = authorization.partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        return None, rest.strip() or None
    if scheme == "basic":
        try:
            return binascii.a2b_base64(rest).decode("utf-8", "replace").partition(":")[0] or None, None
        except (binascii.Error, ValueError):
            return None, None
    if scheme == "digest":
        _, _, after = rest.partition('username="')
        return after.partition('"')[0] or None, None
    return None, None
