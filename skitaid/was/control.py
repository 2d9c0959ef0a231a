"""`was.restart` and `was.shutdown`: what an app may ask of the instance that serves it."""

from __future__ import annotations

from skitaid.was.worker import current_worker

__all__ = ["restart", "shutdown"]


def restart() -> None:
    """Have the workers of this instance replaced by new ones, which import the apps anew. Requests in flight are
    answered. Raises NoWorkerError."""
    current_worker().controls.restart()


def shutdown() -> None:
    """Stop this instance: requests in flight are answered, and it is started again by `skitaid.py -f NAME start`.
    Raises NoWorkerError."""
    current_worker().controls.shutdown()
