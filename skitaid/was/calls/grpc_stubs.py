"""`was.grpc`: stubs of gRPC services, whose attributes are their methods.

`stub.Method(request, timeout)` gives a task; its data are the message that comes back, or the list of them where the
method gives a stream. `stub.Method.stream(…)` gives a stream to be read, and written, as it goes (calls.grpc_stream).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from skitaid.protocols.grpc import CONTENT_TYPE, frame, timeout_value
from skitaid.was.calls.asking import Ask, order_of
from skitaid.was.calls.family import Callback, Family
from skitaid.was.calls.launch import launch, launch_map
from skitaid.was.calls.making import Words, make_ask
from skitaid.was.calls.order import Order
from skitaid.was.messages.content_types import RequestType
from skitaid.was.messages.errors import CallError

if TYPE_CHECKING:
    from skitaid.was.calls.grpc_stream import GrpcStream
    from skitaid.was.messages.grpc_types import GrpcMethod

__all__ = ["GrpcFamily", "GrpcRemote", "GrpcStub", "grpc"]

Launch = Callable[[Order, Any], Any]

_KIND: Final = RequestType(CONTENT_TYPE, "*/*")
# Of HTTP/2 alone, so not among the fields that a call may have everywhere: who carries the call makes them else.
_TRAILERS: Final = b"te: trailers\r\n"
_OLDER: Final = frozenset({"getwait", "getswait", "wait", "cache"})


class GrpcRemote:
    """A method of a service."""

    __slots__ = ("_method", "_stub")

    def __init__(self, stub: GrpcStub, method: GrpcMethod) -> None:
        self._stub = stub
        self._method = method

    def __call__(self, request: object, timeout: float | None = None) -> Any:
        """Begin a call. `request`: a message, or an iterable of them where the method takes a stream. `timeout` in
        seconds, told to the server too. Raises CallError."""
        return self._stub._begin(self._method, self._method.write_all(request), timeout)

    def stream(self, request: object = None, timeout: float | None = None) -> GrpcStream:
        """Begin a call whose messages come, and go, one by one. Without `request`: `send` and `end` say what goes.
        Raises CallError."""
        messages = None if request is None else self._method.write_all(request)
        return self._stub._open(self._method, messages, timeout)


class GrpcStub:
    """A gRPC service, whose attributes are its methods: of one server, of one of an alias' members at each call, or of
    all of them (`.map`). Making one raises CallError for a target whose path does not end with a service's name."""

    __slots__ = ("_ask", "_callback", "_last", "_launch", "_service")

    def __init__(self, ask: Ask, launcher: Launch, callback: Callback | None) -> None:
        path, _, service = ask.target.path.rpartition("/")
        if not service or "?" in service:
            raise CallError(f"{path}/{service}: the path of a gRPC service ends with its name: /package.Service")
        self._ask = ask
        self._service = service
        self._launch = launcher
        self._callback = callback
        self._last: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _OLDER:
            if self._last is None:
                raise CallError(f"{name}: no method was called through this stub: stub.METHOD(…) comes first")
            return getattr(self._last, name)
        from skitaid.was.messages.grpc_types import find_method

        return GrpcRemote(self, find_method(self._service, name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def _begin(self, method: GrpcMethod, messages: Sequence[bytes], timeout: float | None) -> Any:
        body = b"".join(map(frame, messages))
        self._last = self._launch(self._order(method, body, timeout), self._callback)
        return self._last

    def _open(self, method: GrpcMethod, messages: Sequence[bytes] | None, timeout: float | None) -> GrpcStream:
        from skitaid.was.calls.grpc_stream import open_stream

        return open_stream(self._order(method, b"", timeout), method, messages)

    def _order(self, method: GrpcMethod, body: bytes, timeout: float | None) -> Order:
        from skitaid.was.messages.grpc_reading import GrpcReader

        ask = self._ask
        timeout = ask.terms.timeout_s if timeout is None else timeout
        terms = replace(ask.terms, decode=GrpcReader(method), timeout_s=timeout, follows=False)
        target = replace(ask.target, path=f"{ask.target.path}/{method.name}")
        made = order_of(replace(ask, target=target, body=body, terms=terms))
        lines = _TRAILERS if timeout is None else b"%bgrpc-timeout: %b\r\n" % (_TRAILERS, timeout_value(timeout))
        return replace(made, call=replace(made.call, lines=lines))


class GrpcFamily(Family[GrpcStub, GrpcStub]):
    """`was.grpc("http://host:port/package.Service")`."""

    def _begin(self, words: Words, callback: Callback | None) -> GrpcStub:
        return GrpcStub(_ask(words), launch, callback)

    def _begin_each(self, words: Words, callback: Callback | None) -> GrpcStub:
        return GrpcStub(_ask(words), launch_map, callback)


def _ask(words: Words) -> Ask:
    if words.data is not None:
        raise CallError("data: a gRPC method has a request, given to the stub's method: stub.METHOD(request)")
    missing = [name for name, module in (("protobuf", "google.protobuf"), ("h2", "h2")) if not _is_there(module)]
    if missing:
        raise CallError(f"was.grpc needs {' and '.join(missing)}, which this Python lacks: pip install 'skitaid[grpc]'")
    ask = make_ask("POST", words, _KIND)
    fields = [pair for pair in ask.fields if pair[0] not in (b"accept", b"accept-encoding", b"content-type")]
    fields += [(b"content-type", CONTENT_TYPE.encode("ascii")), (b"accept-encoding", b"identity"),
               (b"grpc-accept-encoding", b"identity, gzip, deflate")]  # fmt: skip
    return replace(ask, fields=tuple(fields), target=ask.target.by_http2())


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


grpc: Final = GrpcFamily("grpc")
