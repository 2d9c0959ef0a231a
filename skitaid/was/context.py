"""The request that is being answered, for code that was not handed it.

A handler binds it where an app is called: for WSGI in a cell that each app thread keeps (two attribute writes a
request), for ASGI in the context of the request's own task. So it is found in that thread or task, and in whatever is
called there in a copy of its context.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Iterator
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final

from skitaid.engine.transaction import ltxnids
from skitaid.was.errors import NoRequestError

if TYPE_CHECKING:
    from skitaid.engine.stream import Stream

__all__ = [
    "Bound", "Cell", "Memory", "app_config", "attribute", "bind", "bind_container", "bound_request", "carried", "cell",
    "current", "identifier", "memory", "outgoing_ids",
]  # fmt: skip


class Bound:
    """What `was` knows of a request. The handlers' own objects are such, so that binding one costs nothing: `stream`,
    and `environ`, the WSGI environ or the ASGI scope. `memory` is made when it is needed. `container`: what a framework
    adds to it."""

    __slots__ = ("container", "environ", "memory", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.environ: dict[str, Any]
        self.memory: Memory | None = None
        self.container: Any = None


class Memory:
    """What is kept for a request of an app that uses `was`. `later`: the response that takes the place of the one the
    app gives (was.later)."""

    __slots__ = ("gtxnid", "later", "ltxnid", "ltxnids")

    def __init__(self, stream: Stream) -> None:
        self.gtxnid = stream.gtxnid
        self.ltxnid = stream.ltxnid
        self.ltxnids: Iterator[str] = ltxnids(self.ltxnid)
        self.later: Any = None


class Cell:
    """Holds the request of an app thread."""

    __slots__ = ("bound",)

    def __init__(self) -> None:
        self.bound: Bound | None = None


_current: Final[ContextVar[Cell | Bound | None]] = ContextVar("skitaid.request", default=None)
_making: Final = allocate_lock()
bind = _current.set
"""Bind a request in the context of the task that is running."""
current = _current.get
"""The cell of this thread, the request of this task, or None."""


def cell() -> Cell:
    """The cell of this thread, made at the first call."""
    found = _current.get()
    if type(found) is not Cell:
        found = Cell()
        _current.set(found)
    return found


def bound_request() -> Bound | None:
    """The request that is being answered here; None: there is none."""
    found = _current.get()
    return found.bound if type(found) is Cell else found  # type: ignore[return-value]


def memory() -> Memory | None:
    """What is kept for the request that is being answered here."""
    bound = bound_request()
    if bound is None:
        return None
    if bound.memory is None:
        stream = getattr(bound, "stream", None)
        if stream is None:
            # An ASGI app goes on after its response, and asks now for the first time; or another server than ours
            # calls a framework that knows `was`.
            return None
        with _making:
            if bound.memory is None:
                bound.memory = Memory(stream)
    return bound.memory


def attribute(name: str) -> Any:
    """`was.NAME` of the request. Raises NoRequestError; AttributeError for what it does not have."""
    bound = bound_request()
    if bound is None:
        raise NoRequestError(name)
    if name == "env":
        return bound.environ
    if bound.container is not None:
        return getattr(bound.container, name)
    raise AttributeError(f"was has no {name!r}")


def bind_container(container: Any) -> None:
    """What a framework adds to the request that is being answered: its attributes are those of `was`. Raises
    NoRequestError."""
    bound = bound_request()
    if bound is None:
        raise NoRequestError("container")
    bound.container = container


def identifier() -> str:
    """The ids of the request that is being answered, as logs have them; "" outside of requests."""
    kept = memory()
    return "" if kept is None else f"{kept.gtxnid}/{kept.ltxnid}"


def outgoing_ids() -> tuple[str, str] | None:
    """gtxnid and ltxnid of the next call out of the request that is being answered; None outside of requests."""
    kept = memory()
    return None if kept is None else (kept.gtxnid, next(kept.ltxnids))


def carried() -> Context:
    """A copy of the context that goes on being that of this request when its thread has another: for what is done on
    its behalf elsewhere, or later."""
    # The ids are taken down now: an ASGI request is taken apart when it ends.
    memory()
    context = copy_context()
    context.run(bind, bound_request())
    return context


def app_config() -> Any:
    """The configuration of the app that answers the request; None of one that has none."""
    bound = bound_request()
    return None if bound is None else getattr(getattr(bound.container, "app", None), "config", None)
