"""How many connections there may be: in all, and from one address. Counts and decides; nothing here closes anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Admission", "Quota", "QuotaSettings"]


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """How many connections a worker takes; 0 is no limit. `per_address` counts neither unix sockets nor near addresses,
    where a proxy passes on the connections of many."""

    connections: int = 20_000
    per_address: int = 1000


class Admission(Enum):
    """What becomes of a connection that was just accepted."""

    WELCOME = "welcome"
    ADDRESS_FULL = "its address has as many as one may have"
    FULL = "there are as many as there may be"


class Quota:
    """One per engine; on the loop thread."""

    def __init__(self, settings: QuotaSettings) -> None:
        self._settings = settings
        self._by_address: dict[str, int] = {}
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return 0 < self._settings.connections <= self._count

    def enter(self, address: str, *, is_counted: bool) -> Admission:
        """One more from `address`, "" for a unix socket. `is_counted`: the address has a limit. One that is not welcome
        is not counted, and must not `leave`."""
        if self.is_full:
            return Admission.FULL
        if is_counted and address and self._settings.per_address:
            held = self._by_address.get(address, 0)
            if held >= self._settings.per_address:
                return Admission.ADDRESS_FULL
            self._by_address[address] = held + 1
        self._count += 1
        return Admission.WELCOME

    def leave(self, address: str) -> None:
        """One less. An address that was not counted has nothing to give back."""
        self._count -= 1
        held = self._by_address.get(address, 0)
        if held > 1:
            self._by_address[address] = held - 1
        elif held:
            del self._by_address[address]
