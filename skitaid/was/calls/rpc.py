"""Remote procedures: how XML-RPC and JSON-RPC make requests of calls, and readers of their answers. Pure.

Each is imported when it is used: XML-RPC brings 1.4 MB of the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from skitaid.was.calls.asking import Ask
from skitaid.was.messages.content_types import JSON, XML, RequestType
from skitaid.was.messages.errors import CallError
from skitaid.was.messages.reading import Read, Reader

if TYPE_CHECKING:
    from skitaid.was.messages.jsonrpc import JsonRpcCall

__all__ = ["JSON_NOTICES", "JSON_RPC", "XML_RPC", "Codec", "RpcCall"]


class RpcCall(NamedTuple):
    """A remote method and what it is called with."""

    method: str
    arguments: Sequence[object] = ()
    named: Mapping[str, object] = {}


class Codec(Protocol):
    """A way of calling remote procedures. Completes an Ask that has no body yet. Raises CallError."""

    @property
    def kind(self) -> RequestType: ...
    def one(self, ask: Ask, call: RpcCall) -> Ask: ...
    def several(self, ask: Ask, calls: Sequence[RpcCall]) -> Ask: ...


def _complete(ask: Ask, body: bytes, read: Read) -> Ask:
    terms = replace(ask.terms, decode=Reader(read, has_faults=True), keeps_method=True)
    return replace(ask, body=body, terms=terms)


# ---------------------------------------------------------------- XML-RPC


class _XmlRpc:
    kind = RequestType("text/xml; charset=utf-8", XML.accept)

    def one(self, ask: Ask, call: RpcCall) -> Ask:
        from skitaid.was.messages.xmlrpc import write_call

        return _complete(ask, write_call(call.method, _positional(call)), _read_xml)

    def several(self, ask: Ask, calls: Sequence[RpcCall]) -> Ask:
        from skitaid.was.messages.xmlrpc import write_multicall

        body = write_multicall([(call.method, _positional(call)) for call in calls])
        return _complete(ask, body, _read_multicall)


def _positional(call: RpcCall) -> Sequence[object]:
    if call.named:
        raise CallError(f"{call.method}: XML-RPC has no named arguments")
    return call.arguments


def _read_xml(content: bytes, content_type: str) -> object:
    from skitaid.was.messages.xmlrpc import read_response

    return read_response(content)


def _read_multicall(content: bytes, content_type: str) -> object:
    from skitaid.was.messages.xmlrpc import read_multicall

    return read_multicall(content)


# ---------------------------------------------------------------- JSON-RPC


class _JsonRpc:
    """`answers` False: notifications, whose outcome the server does not tell."""

    kind = JSON

    def __init__(self, *, answers: bool = True) -> None:
        self._answers = answers

    def one(self, ask: Ask, call: RpcCall) -> Ask:
        from skitaid.was.messages.jsonrpc import write_call

        made = self._made(call)
        ask = _complete(ask, write_call(made), partial(_read_json, made.id))
        # The id makes no call another one: two with the same arguments may share a kept result.
        return replace(ask, key=write_call(made._replace(id=None)))

    def several(self, ask: Ask, calls: Sequence[RpcCall]) -> Ask:
        from skitaid.was.messages.jsonrpc import write_batch

        made = [self._made(call) for call in calls]
        ids = [each.id for each in made if each.id is not None]
        ask = _complete(ask, write_batch(made), partial(_read_batch, ids))
        return replace(ask, key=write_batch([each._replace(id=None) for each in made]))

    def _made(self, call: RpcCall) -> JsonRpcCall:
        from skitaid.was.messages.jsonrpc import JsonRpcCall, new_id

        return JsonRpcCall(*call, id=new_id() if self._answers else None)


def _read_json(call_id: int | None, content: bytes, content_type: str) -> object:
    from skitaid.was.messages.jsonrpc import read_response

    return read_response(content, call_id)


def _read_batch(ids: Sequence[int], content: bytes, content_type: str) -> object:
    from skitaid.was.messages.jsonrpc import read_batch

    return read_batch(content, ids)


XML_RPC: Final[Codec] = _XmlRpc()
JSON_RPC: Final[Codec] = _JsonRpc()
JSON_NOTICES: Final[Codec] = _JsonRpc(answers=False)
