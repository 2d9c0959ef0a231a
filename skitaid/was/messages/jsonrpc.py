"""JSON-RPC 2.0: calls as objects and answers as Python values. Pure.

Also takes the answers of 1.0, which has no version and gives both `result` and `error`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from skitaid.was.messages.content_types import JSON
from skitaid.was.messages.decoding import read_json
from skitaid.was.messages.encoding import encode_body
from skitaid.was.messages.errors import CallError, ReplyError, RpcFault

__all__ = ["JsonRpcCall", "new_id", "read_batch", "read_response", "write_batch", "write_call"]

_IDS: Final = itertools.count(1)


class JsonRpcCall(NamedTuple):
    """A call of a remote procedure: its name, and its arguments by position or by name. `id` None: a notification, to
    which no answer comes (section 4.1)."""

    method: str
    arguments: Sequence[object] = ()
    named: Mapping[str, object] = {}
    id: int | None = None


def new_id() -> int:
    """Each different in this process."""
    return next(_IDS)


def write_call(call: JsonRpcCall) -> bytes:
    """The body of a request. Raises CallError for values that JSON cannot carry."""
    return encode_body(_as_object(call), JSON.content)


def write_batch(calls: Sequence[JsonRpcCall]) -> bytes:
    """The body of a request with several calls (section 6). Raises CallError."""
    if not calls:
        raise CallError("a JSON-RPC batch has at least one call")
    return encode_body([_as_object(call) for call in calls], JSON.content)


def read_response(content: bytes, call_id: int | None) -> object:
    """The result. Raises RpcFault for an error object, ReplyError when it is not a response to that call."""
    answer = read_json(content)
    if call_id is None:
        return None
    return _result(answer, call_id)


def read_batch(content: bytes, ids: Sequence[int]) -> list[object]:
    """The results in the order of the calls, in whatever order they came; a call that failed has its RpcFault there.
    Raises ReplyError, RpcFault when the batch as a whole was refused."""
    if not ids:
        return []
    answers = read_json(content)
    if isinstance(answers, dict):
        # Section 6: a batch that could not be read gets a single error.
        _result(answers, None)
    if not isinstance(answers, list):
        raise ReplyError("the response to a JSON-RPC batch is not an array")
    by_id = {json.dumps(answer.get("id")): answer for answer in answers if isinstance(answer, dict)}
    return [_result_or_fault(by_id.get(str(call_id)), call_id) for call_id in ids]


def _as_object(call: JsonRpcCall) -> dict[str, object]:
    if call.arguments and call.named:
        raise CallError(f"{call.method}: JSON-RPC takes either positional or named arguments, not both")
    found: dict[str, object] = {"jsonrpc": "2.0", "method": call.method}
    if call.arguments or call.named:
        found["params"] = dict(call.named) if call.named else list(call.arguments)
    if call.id is not None:
        found["id"] = call.id
    return found


def _result_or_fault(answer: Any, call_id: int) -> object:
    if answer is None:
        return RpcFault(-32603, "the server answered other calls of the batch, and not this one")
    try:
        return _result(answer, call_id)
    except RpcFault as fault:
        return fault


def _result(answer: object, call_id: int | None) -> object:
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise ReplyError("the response is not a JSON-RPC response: expected an object with 'result' or 'error'")
    error = answer.get("error")
    if error is not None:
        raise _fault(error)
    if answer.get("id") != call_id or isinstance(answer.get("id"), bool):
        raise ReplyError(f"the JSON-RPC response is for call {answer.get('id')!r:.40}, expected {call_id}")
    return answer.get("result")


def _fault(error: object) -> RpcFault:
    """Section 5.1; 1.0 left the form open."""
    if isinstance(error, dict):
        return RpcFault(error.get("code"), str(error.get("message", "")), error.get("data"))
    return RpcFault(None, str(error))
