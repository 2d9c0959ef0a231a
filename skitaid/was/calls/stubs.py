"""`was.xmlrpc` (older: `was.rpc`) and `was.jsonrpc`: stubs whose attributes are the remote methods.

A stub is a context manager, for the documents' `with`; it holds nothing, so it may also be used without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self

from skitaid.was.calls.asking import Ask, order_of
from skitaid.was.calls.family import Callback, Family
from skitaid.was.calls.launch import launch, launch_map
from skitaid.was.calls.making import Words, make_ask
from skitaid.was.calls.rpc import JSON_NOTICES, JSON_RPC, XML_RPC, Codec, RpcCall
from skitaid.was.messages.authorization import Given
from skitaid.was.messages.errors import CallError
from skitaid.was.messages.fields import GivenHeaders, value_of

__all__ = ["Batch", "JsonRpcFamily", "RemoteMethod", "RpcFamily", "Stub", "jsonrpc", "rpc", "xmlrpc"]

Begin = Callable[[Ask], Any]
"""Makes a task, or the tasks of `.map`, of a complete Ask."""

# What the older call form asks the stub itself for; no remote method can be called so there.
_WAITS: Final = frozenset({"getwait", "getswait", "wait", "cache"})
# These may be remote methods as well, so they are the task's only when it was waited for through the stub.
_STATES: Final = frozenset({"code", "status"})


class RemoteMethod:
    """`stub.system.listMethods`: a name that grows with each dot, and is called at the end."""

    __slots__ = ("_call", "_name")

    def __init__(self, call: Callable[[RpcCall], Any], name: str) -> None:
        self._call = call
        self._name = name

    def __getattr__(self, name: str) -> RemoteMethod:
        if name.startswith("__"):
            raise AttributeError(name)
        return RemoteMethod(self._call, f"{self._name}.{name}")

    def __call__(self, *arguments: object, **named: object) -> Any:
        return self._call(RpcCall(self._name, arguments, named))


class _Remote:
    """What stubs have in common: attributes are remote methods."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # Asked for by copy, pickle and the like, not by people.
            raise AttributeError(name)
        return RemoteMethod(self._invoke, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def _invoke(self, call: RpcCall) -> Any:
        raise NotImplementedError


class Stub(_Remote):
    """Calling a method begins a call and gives its task. In the older form the stub stands for its last task:
    `s = was.rpc(url); s.add(1, 2); s.getwait(2)`."""

    __slots__ = ("_begin", "_is_waited_for", "_last", "_make")

    def __init__(self, make: Callable[[RpcCall], Ask], begin: Begin) -> None:
        self._make = make
        self._begin = begin
        self._last: Any = None
        self._is_waited_for = False

    def __getattr__(self, name: str) -> Any:
        if name in _WAITS:
            return self._waiting(name)
        if name in _STATES and self._is_waited_for:
            return getattr(self._last, name)
        return super().__getattr__(name)

    def _invoke(self, call: RpcCall) -> Any:
        self._last = self._begin(self._make(call))
        return self._last

    def _waiting(self, name: str) -> Any:
        if self._last is None:
            raise CallError(f"{name}: no remote method was called through this stub: stub.METHOD(…) comes first")
        self._is_waited_for = True
        return getattr(self._last, name)


class Batch(_Remote):
    """Calling a method notes the call; calling the batch itself sends all of them as one request and gives its task.
    Its data are the results in the order of the calls; one that failed has its RpcFault there."""

    __slots__ = ("_begin", "_calls", "_make")

    def __init__(self, make: Callable[[list[RpcCall]], Ask], begin: Begin) -> None:
        self._make = make
        self._begin = begin
        self._calls: list[RpcCall] = []

    def _invoke(self, call: RpcCall) -> None:
        self._calls.append(call)

    def __len__(self) -> int:
        return len(self._calls)

    def __call__(self) -> Any:
        """Send the calls that were noted, and begin anew. Raises CallError when there are none."""
        if not self._calls:
            raise CallError("the batch is empty: call remote methods on it first")
        calls, self._calls = self._calls, []
        return self._begin(self._make(calls))


class RpcFamily(Family[Stub, Stub]):
    """`was.xmlrpc(url)` gives a stub for one server, or for one of an alias' members at each call (`.lb` does the
    same); `.map` for each of the members; `.batch` several calls in one request."""

    def __init__(self, name: str, codec: Codec) -> None:
        super().__init__(name)
        self._codec = codec

    def _begin(self, words: Words, callback: Callback | None) -> Stub:
        return Stub(partial(self._codec.one, _ask(words, self._codec)), partial(_launch, callback))

    def _begin_each(self, words: Words, callback: Callback | None) -> Stub:
        return Stub(partial(self._codec.one, _ask(words, self._codec)), partial(_launch_map, callback))

    def batch(
        self, url: str, *, auth: Given = None, headers: GivenHeaders = None, timeout: float | None = None
    ) -> Batch:
        """Several calls in one request (system.multicall; a batch of JSON-RPC)."""
        ask = _ask(Words(url, None, auth, headers, None, timeout), self._codec)
        return Batch(partial(self._codec.several, ask), partial(_launch, None))


class JsonRpcFamily(RpcFamily):
    """With notifications."""

    def notify(
        self, url: str, *, auth: Given = None, headers: GivenHeaders = None, timeout: float | None = None
    ) -> Stub:
        """Calls that have no result: the server says only that it got them."""
        ask = _ask(Words(url, None, auth, headers, False, timeout), JSON_NOTICES)
        return Stub(partial(JSON_NOTICES.one, ask), partial(_launch, None))


def _ask(words: Words, codec: Codec) -> Ask:
    if words.data is not None:
        raise CallError("data: a remote procedure has arguments, given to the stub's method: stub.METHOD(…)")
    ask = make_ask("POST", words, codec.kind)
    if value_of(ask.fields, b"content-type") is not None:
        return ask
    return replace(ask, fields=(*ask.fields, (b"content-type", codec.kind.content.encode("ascii"))))


def _launch(callback: Callback | None, ask: Ask) -> Any:
    return launch(order_of(ask), callback)


def _launch_map(callback: Callback | None, ask: Ask) -> Any:
    return launch_map(order_of(ask), callback)


xmlrpc: Final = RpcFamily("xmlrpc", XML_RPC)
rpc: Final = xmlrpc
jsonrpc: Final = JsonRpcFamily("jsonrpc", JSON_RPC)
