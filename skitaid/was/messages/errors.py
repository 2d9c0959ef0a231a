"""What is wrong with a call or with what came back. Who must act is the class."""

from __future__ import annotations

from skitaid.exceptions import SkitaidError

__all__ = ["CallError", "ReplyError", "RpcFault", "without_frames"]


class CallError(SkitaidError, ValueError):
    """The app's author must act: the call cannot be made as it is written. Raised where it is written, before
    anything is sent."""


class ReplyError(SkitaidError):
    """The other server must act: what it sent cannot be used. `status` is what the result says in its place."""

    status = 502


class RpcFault(SkitaidError):
    """The remote procedure itself failed, and said so: `code` (the fault's number), `message`, and whatever `data`
    came with it (JSON-RPC). `status` is what the result says."""

    status = 500

    def __init__(self, code: object, message: str, data: object = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(code, message)

    def __str__(self) -> str:
        return f"fault {self.code}: {self.message}"


def without_frames(error: BaseException) -> None:
    """Forget where it and its causes were raised. An error that is kept in a result would keep those frames, with all
    they had in hand (a decompressed body), and by way of them itself: what only a garbage collection frees."""
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        # It may be the app's: whoever waits may be handling another error.
        each.__context__ = None
        each = each.__cause__
