from __future__ import annotations

import json

import pytest

from skitaid.was.messages.errors import CallError, ReplyError, RpcFault
from skitaid.was.messages.jsonrpc import JsonRpcCall, new_id, read_batch, read_response, write_batch, write_call


def answer(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (JsonRpcCall("sum", [1, 2], id=7), {"jsonrpc": "2.0", "method": "sum", "params": [1, 2], "id": 7}),
        (JsonRpcCall("sum", named={"a": 1}, id=7), {"jsonrpc": "2.0", "method": "sum", "params": {"a": 1}, "id": 7}),
        (JsonRpcCall("ping", id=7), {"jsonrpc": "2.0", "method": "ping", "id": 7}),
        (JsonRpcCall("note", ["é"]), {"jsonrpc": "2.0", "method": "note", "params": ["é"]}),
    ],
)
def test_calls(call: JsonRpcCall, expected: object) -> None:
    assert json.loads(write_call(call)) == expected


def test_positional_and_named_do_not_mix() -> None:
    with pytest.raises(CallError, match="not both"):
        write_call(JsonRpcCall("f", [1], {"a": 1}, 1))


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(CallError):
        write_call(JsonRpcCall("f", [object()], id=1))
    with pytest.raises(CallError):
        write_batch([])


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (answer(id=7, result={"a": [1]}), {"a": [1]}),
        (answer(id=7, result=None), None),
        (b'{"id": 7, "result": 1, "error": null}', 1),
    ],
)
def test_results(content: bytes, expected: object) -> None:
    assert read_response(content, 7) == expected


def test_a_notification_has_none() -> None:
    assert read_response(b"", None) is None


def test_an_error() -> None:
    with pytest.raises(RpcFault) as caught:
        read_response(answer(id=7, error={"code": -32601, "message": "Method not found", "data": [1]}), 7)
    assert (caught.value.code, caught.value.message, caught.value.data) == (-32601, "Method not found", [1])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (answer(id=None, error={"code": -32700, "message": "Parse error"}), -32700),
        (b'{"id": 7, "result": null, "error": "broken"}', None),
    ],
)
def test_other_errors(content: bytes, code: object) -> None:
    with pytest.raises(RpcFault) as caught:
        read_response(content, 7)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no json", b"[]", b"1", b"{}", answer(id=7), answer(id=8, result=1), answer(id="7", result=1),
        answer(result=1), answer(id=True, result=1), b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_response(content: bytes) -> None:
    with pytest.raises(ReplyError):
        read_response(content, 7)


def test_true_is_not_one() -> None:
    with pytest.raises(ReplyError):
        read_response(answer(id=True, result=1), 1)


def test_a_batch() -> None:
    raw = json.loads(write_batch([JsonRpcCall("a", [1], id=1), JsonRpcCall("b", id=2)]))
    assert [each["id"] for each in raw] == [1, 2]
    content = json.dumps([
        {"id": 2, "error": {"code": 1, "message": "no"}}, {"id": None, "error": {}}, {"id": 1, "result": "first"}, 5,
    ]).encode()  # fmt: skip
    values = read_batch(content, [1, 2, 3])
    assert values[0] == "first"
    assert isinstance(values[1], RpcFault) and values[1].code == 1
    assert isinstance(values[2], RpcFault) and values[2].code == -32603


def test_a_batch_that_is_refused() -> None:
    with pytest.raises(RpcFault):
        read_batch(answer(id=None, error={"code": -32600, "message": "Invalid Request"}), [1, 2])


@pytest.mark.parametrize("content", [b"", b"1", b"{}", b'{"id": 1, "result": 1}'])
def test_what_is_no_batch(content: bytes) -> None:
    with pytest.raises(ReplyError):
        read_batch(content, [1, 2])


def test_a_batch_of_nothing() -> None:
    assert read_batch(b"", []) == []
