"""What goes wrong in the use of `was`. Who must act is the class."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from skitaid.exceptions import SkitaidError

__all__ = [
    "FolderError", "HTTPError", "LoopThreadError", "NoRequestError", "NoWorkerError", "QueueFullError",
    "TaskTimeoutError", "WasError",
]  # fmt: skip

_STATUS: Final = re.compile(r"([1-5][0-9]{2})(?: ([\t\x20-\x7e]*))?").fullmatch


class WasError(SkitaidError):
    """Root of the errors of `was`."""


class NoWorkerError(WasError):
    """There is no skitaid worker in this process; whoever started it must act."""

    def __init__(self, what: str = "was") -> None:
        super().__init__(
            f"{what} is at hand in apps that skitaid serves, and this process is none of its workers:"
            " start the app with `skitaid.py run APP.py` or mount it in a conf file"
        )


class NoRequestError(WasError, AttributeError):
    """No request is being answered here; the app's author must act."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"was.{what} belongs to a request, and none is being answered here: ask for it in the thread or task that"
            " answers the request, and hand on what others need"
        )


class LoopThreadError(WasError):
    """Waiting here would stop the worker; the app's author must act."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} would wait on the event loop's thread, which stands still meanwhile, and with it what is waited"
            " for: in async code write `await task`; a WSGI app under `threads = 0` returns was.Tasks([…]).then(…), or"
            " gets threads"
        )


class FolderError(WasError, OSError):
    """A folder that should be ours belongs to somebody else; whoever runs the process must act."""


class TaskTimeoutError(WasError, TimeoutError):
    """A task was waited for too long, and ended; whoever waited may give it more time."""

    def __init__(self, about: str, seconds: float) -> None:
        super().__init__(f"{about}: given up after {seconds:.3g} s")


class HTTPError(WasError):
    """Ends a request with a status, wherever it is raised: `raise was.Error("404 Not Found", "no such file")`.

    `status` is a line such as "404 Not Found", or a number; `explain` is shown to the client, `detail` is for logs.
    `status_code` is the number. `result`: the Result that it is about, if there is one.
    """

    def __init__(self, status: str | int = 500, explain: str = "", *, detail: str = "", result: object = None) -> None:
        self.status = _status_line(status)
        self.status_code = int(self.status[:3])
        self.explain = explain
        self.result = result
        text = detail or explain
        super().__init__(f"{self.status}: {text}" if text else self.status)


class QueueFullError(HTTPError):
    """More is asked for than can be done; the app asks for too much at a time. Clients are told to come back."""

    def __init__(self, explain: str) -> None:
        super().__init__("503 Service Unavailable", explain)


def _status_line(status: str | int) -> str:
    """`status` as the line of a response. Raises ValueError for what is none."""
    match = _STATUS(str(status))
    if match is None:
        raise ValueError(f"{status!r} is not a status, expected one such as '404 Not Found' or 404")
    if match[2]:
        return match[0]
    code = int(match[1])
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Status {code}"
