"""When a connection has waited too long. Decisions only; nothing here closes anything."""

from __future__ import annotations

from dataclasses import dataclass

from skitaid.engine.phase import Phase

__all__ = ["Timeouts"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. `keep_alive_s`: for the next request; `stall_s`: without a byte in a transfer that has begun;
    `head_s`: for a whole head; `linger_s`: for the client to close after we did, `head_s` if it keeps on sending;
    `total_s`: for a request to come in or a response to go out, however steadily; 0 is no limit."""

    keep_alive_s: float = 10.0
    stall_s: float = 10.0
    head_s: float = 30.0
    linger_s: float = 2.0
    total_s: float = 3600.0

    def is_over(self, phase: Phase, idle_s: float, head_age_s: float) -> bool:
        """Whether a connection in `phase`, without a byte for `idle_s`, has waited long enough. `head_age_s`: since its
        head, or its goodbye, began."""
        if phase is Phase.APP or phase is Phase.CLOSED:
            return False
        if phase is Phase.IDLE:
            return idle_s > self.keep_alive_s
        if phase in (Phase.HEAD, Phase.LINGERING) and head_age_s > self.head_s:
            return True
        if 0 < self.total_s < head_age_s:
            return True
        return idle_s > (self.linger_s if phase is Phase.LINGERING else self.stall_s)
