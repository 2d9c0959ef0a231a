"""What can be wrong with the bytes of a peer, and with a response that an app asks for."""

from __future__ import annotations

from skitaid.exceptions import PeerError, SkitaidError


class ProtocolError(PeerError):
    """A peer broke a rule of the protocol.

    `status` is the answer it deserves. The connection can't be used further: after a framing error nobody knows
    where the next message begins (RFC 9112 section 2.2 and 6.3).
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status}: {reason}")


class ResponseError(SkitaidError):
    """An app asked for a response that can't be put on the wire; the app's author must act."""
