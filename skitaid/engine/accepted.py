"""An accepted socket, whatever it is at the moment: a handshake, or a connection."""

from __future__ import annotations

from typing import Protocol

from skitaid.engine.phase import Phase

__all__ = ["AcceptedSocket"]


class AcceptedSocket(Protocol):
    """As the engine looks after it; see `engine.connection`. `touched`: when something last went on; `head_at`: when
    what it has to say now began; `served`: requests so far."""

    fd: int
    peer: str
    touched: float
    head_at: float
    served: int

    @property
    def phase(self) -> Phase: ...
    def on_event(self, mask: int) -> None: ...
    def on_failure(self) -> None: ...
    def time_out(self, phase: Phase) -> None: ...
    def close_idle(self) -> None: ...
    def stop_waiting(self) -> None: ...
    def give_up(self) -> None: ...
