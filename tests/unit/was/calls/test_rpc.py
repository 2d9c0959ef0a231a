from __future__ import annotations

import json
import xmlrpc.client

import pytest

from skitaid.was.calls.asking import Ask, order_of
from skitaid.was.calls.rpc import JSON_NOTICES, JSON_RPC, XML_RPC, Codec, RpcCall
from skitaid.was.messages.errors import CallError, RpcFault
from skitaid.was.messages.reply import Decoded, Reply
from skitaid.was.messages.target import parse_target

ADD = RpcCall("add", (1, 2))


def one(codec: Codec, call: RpcCall = ADD) -> Ask:
    return codec.one(Ask("POST", parse_target("http://h/rpc")), call)


def body(ask: Ask) -> bytes:
    assert isinstance(ask.body, bytes)
    return ask.body


def answered(ask: Ask, content: bytes, content_type: str, status: int = 200) -> Decoded:
    return ask.terms.decode(Reply(status, "", ((b"content-type", content_type.encode()),), content))


def test_xml() -> None:
    ask = one(XML_RPC)
    assert xmlrpc.client.loads(body(ask)) == ((1, 2), "add")
    content = xmlrpc.client.dumps((3,), methodresponse=True).encode()
    assert answered(ask, content, "text/xml").data == 3
    # some servers do not know what they send
    assert answered(ask, content, "text/html").data == 3
    assert answered(ask, b"<html>", "text/html").status_code == 502


def test_xml_has_no_names() -> None:
    with pytest.raises(CallError, match="named"):
        one(XML_RPC, RpcCall("add", (), {"a": 1}))


def test_json() -> None:
    ask = one(JSON_RPC)
    sent = json.loads(body(ask))
    assert (sent["method"], sent["params"]) == ("add", [1, 2])
    assert answered(ask, json.dumps({"id": sent["id"], "result": 3}).encode(), "application/json").data == 3
    assert answered(ask, json.dumps({"id": 0, "result": 3}).encode(), "application/json").status_code == 502
    assert one(JSON_RPC, RpcCall("add", (), {"a": 1})).terms.keeps_method


@pytest.mark.parametrize(("status", "expected"), [(200, 500), (400, 400), (503, 503)])
def test_faults_of_any_status(status: int, expected: int) -> None:
    ask = one(JSON_RPC)
    sent = json.loads(body(ask))
    content = json.dumps({"id": sent["id"], "error": {"code": 1, "message": "no"}}).encode()
    found = answered(ask, content, "application/json", status)
    assert found.status_code == expected and isinstance(found.error, RpcFault)


def test_a_page_instead() -> None:
    found = answered(one(JSON_RPC), b"<h1>sorry", "text/html", 502)
    assert (found.status_code, found.data, found.error) == (502, "<h1>sorry", None)


def test_calls_with_the_same_arguments_have_the_same_key() -> None:
    first, second = one(JSON_RPC), one(JSON_RPC)
    assert first.body != second.body
    assert order_of(first).key == order_of(second).key
    assert order_of(first).key != order_of(one(JSON_RPC, RpcCall("add", (1, 3)))).key


def test_notifications() -> None:
    ask = one(JSON_NOTICES)
    assert "id" not in json.loads(body(ask))
    assert answered(ask, b"", "text/plain", 204).data is None


def test_several() -> None:
    start = Ask("POST", parse_target("http://h/rpc"))
    calls = [ADD, RpcCall("sub", (3, 1))]
    ask = XML_RPC.several(start, calls)
    content = xmlrpc.client.dumps(([[3], [2]],), methodresponse=True).encode()
    assert answered(ask, content, "text/xml").data == [3, 2]
    ask = JSON_RPC.several(start, calls)
    sent = json.loads(body(ask))
    content = json.dumps([{"id": each["id"], "result": each["method"]} for each in reversed(sent)]).encode()
    assert answered(ask, content, "application/json").data == ["add", "sub"]
    assert order_of(ask).key == order_of(JSON_RPC.several(start, calls)).key
    assert answered(JSON_NOTICES.several(start, calls), b"", "text/plain", 204).data == []
