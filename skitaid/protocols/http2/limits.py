"""How much a client may ask for, and how often it may do what costs us and brings it nothing.

A flood is told from use by budgets: each costly frame takes something of one, what is useful gives something back, and
so does every second (`refill`, called by whoever has a clock). An empty budget ends the connection with
ENHANCE_YOUR_CALM.
"""

from __future__ import annotations

from dataclasses import dataclass

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode

__all__ = ["Budget", "Http2Limits"]


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """How much a connection may ask of us. `max_streams`: at a time; `max_list_bytes`: of a head, decoded (RFC 9113
    section 6.5.2); `max_continuations`: frames of one header block beyond the first; `window` and `stream_window`:
    bytes of bodies that may come before we ask for more; `max_resets` and `max_frames`: streams that fail or are given
    up, and frames that carry nothing, before they are a flood; a tenth of each comes back every second.
    `is_connect_enabled`: extended CONNECT is understood (RFC 8441)."""

    max_streams: int = 100
    max_list_bytes: int = 65536
    max_continuations: int = 32
    window: int = 1 << 20
    stream_window: int = 1 << 18
    max_resets: int = 200
    max_frames: int = 1000
    is_connect_enabled: bool = False


class Budget:
    """How much a client may still do that costs it nothing: `left` of `most`. `name`: what there is too much of when
    nothing is left, for the message."""

    __slots__ = ("_most", "_name", "_refill", "left")

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = self.left = most
        self._refill = most // 10 + 1

    def spend(self, cost: int = 1) -> None:
        """The client did so. Raises ConnectionFault (ENHANCE_YOUR_CALM) when nothing is left."""
        self.left -= cost
        if self.left < 0:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {self._name}")

    def earn(self, gain: int) -> None:
        """Something useful was done."""
        self.left = min(self._most, self.left + gain)

    def refill(self) -> None:
        """A second went by: give a tenth back."""
        self.earn(self._refill)
