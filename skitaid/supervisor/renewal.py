"""How a reload or a restart of a unit stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Renewal", "RenewalStatus"]


class RenewalStatus(Enum):
    """Whether one was asked for, and what came of it."""

    NONE = "none"
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Renewal:
    """The last one. `deadline`: monotonic. `again`: asked once more while it was under way."""

    status: RenewalStatus = RenewalStatus.NONE
    reason: str = ""
    deadline: float = 0.0
    again: bool = False

    @property
    def is_pending(self) -> bool:
        return self.status is RenewalStatus.PENDING

    def is_late(self, now: float) -> bool:
        return self.is_pending and now >= self.deadline
