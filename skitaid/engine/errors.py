"""What becomes of a request when its client does not play its part."""

from __future__ import annotations

from skitaid.exceptions import PeerError

__all__ = ["BodyError", "ClientGoneError"]


class BodyError(PeerError, OSError):
    """The rest of a request's body will not come: the client went away, stalled or broke the protocol. An OSError
    too, as that is what apps and frameworks expect of a failed read."""


class ClientGoneError(PeerError, OSError):
    """The client closed the connection, or stopped taking what is sent to it. An OSError too, as that is what apps and
    frameworks expect of a failed write."""
