"""Small services of `was`: temporary names, restart and shutdown, and what makes ids."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from skitaid.was.context import bound_request
from skitaid.was.worker import current_worker, private_folder, worker_or_none

__all__ = ["gentemp", "push", "restart", "shutdown", "timestamp", "uniqid"]

_numbers: Final = count(1)


def gentemp(suffix: str = "") -> str:
    """The full path of a file that does not exist yet, in a folder that nobody else can look into. Files there are
    gone when the worker ends."""
    folder = private_folder() / "temp" / str(os.getpid())
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker = worker_or_none()
        if worker is not None:
            worker.at_end.append(lambda: _remove(folder))
            _remove_left_behind(folder.parent)
    return str(folder / f"{next(_numbers)}-{secrets.token_hex(8)}{suffix}")


def restart() -> None:
    """Have the workers of this instance replaced by new ones, which import the apps anew. Requests in flight are
    answered. Raises NoWorkerError."""
    current_worker().controls.restart()


def shutdown() -> None:
    """Stop this instance: requests in flight are answered, and it is started again by `skitaid.py -f NAME start`.
    Raises NoWorkerError."""
    current_worker().controls.shutdown()


def push(uri: str) -> None:
    """Offer `uri` to the client along with the response, where the protocol knows how (HTTP/2 server push, RFC 9113
    section 8.4). HTTP/1 does not, and most browsers decline: nothing happens then. `uri` is a path, or a URL of which
    the path counts; before the response is sent."""
    bound = bound_request()
    stream = getattr(bound, "stream", None)
    if stream is not None:
        parts = urlsplit(uri)
        stream.push(parts.path + (f"?{parts.query}" if parts.query else ""))


def timestamp() -> int:
    """The time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def uniqid() -> str:
    """A text that nobody else was given and nobody can guess."""
    return secrets.token_hex(16)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder)


def _remove_left_behind(folder: Path) -> None:
    """Of workers that were killed."""
    for each in folder.iterdir():
        if each.name.isdecimal() and not Path(f"/proc/{each.name}").exists() and Path("/proc/self").exists():
            _remove(each)
