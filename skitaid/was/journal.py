"""What an app writes to app.log, with the ids of the request it is about."""

from __future__ import annotations

import logging
import sys

from skitaid.was.context import identifier as ids_of_request
from skitaid.was.worker import worker_or_none

__all__ = ["log", "traceback"]


def log(msg: object, category: str = "info", at: str = "") -> None:
    """A line of type `category`; `at` stands for its place, the ids of the request if it is not given."""
    worker = worker_or_none()
    if worker is None:
        logging.getLogger("skitaid.app").info("[%s] %s", category, msg)
    else:
        worker.controls.log(category, str(msg), at or ids_of_request())


def traceback(id: str = "", identifier: str = "") -> None:
    """The exception that is being handled, with where it happened. `id`, by which it can be found, is the ids of the
    request if it is not given."""
    worker = worker_or_none()
    if worker is not None:
        worker.controls.log_error("", sys.exception(), id or identifier or ids_of_request())
    elif sys.exc_info()[0] is not None:
        logging.getLogger("skitaid.app").exception("%s", id or identifier)
