from __future__ import annotations

import xmlrpc.client
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import pytest

from skitaid.was.messages.errors import CallError, ReplyError, RpcFault
from skitaid.was.messages.xmlrpc import XmlRpcFault, read_multicall, read_response, write_call, write_multicall

NOON = datetime(2024, 1, 2, 12, 0, 0)


def response(value: object) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()


def answer(value: str) -> bytes:
    return f"<methodResponse><params><param><value>{value}</value></param></params></methodResponse>".encode()


@pytest.mark.parametrize(
    "value",
    [
        0, -5, 2**31 - 1, 2**31, -(2**63), 1.5, -1e300, True, False, None, "", "é한\U0001f600 <&>\"'", "a\r\nb\rc\n\t",
        b"", b"\0\xff", NOON, [], [1, [2, ["x"]]], {}, {"a": {"b": [None]}, "<&>": 1},
    ],
)  # fmt: skip
def test_values_come_as_they_went(value: object) -> None:
    (got,), method = xmlrpc.client.loads(write_call("system.echo", [value]), use_builtin_types=True)
    assert got == value and type(got) is type(value)
    assert method == "system.echo"


@pytest.mark.parametrize("value", [0, 2**31 - 1, 1.5, True, None, "é<", b"\0\xff", NOON, [1, ["x"]], {"a": {"b": []}}])
def test_responses(value: object) -> None:
    got = read_response(response(value))
    assert got == value and type(got) is type(value)


def test_tuples_and_wrappers() -> None:
    raw = write_call("f", [(1, 2), xmlrpc.client.Binary(b"x"), xmlrpc.client.DateTime(NOON), bytearray(b"y")])
    assert xmlrpc.client.loads(raw, use_builtin_types=True)[0] == ([1, 2], b"x", NOON, b"y")


def test_times_with_a_zone_are_sent_in_utc() -> None:
    raw = write_call("f", [NOON.replace(tzinfo=timezone(timedelta(hours=9)))])
    assert xmlrpc.client.loads(raw, use_builtin_types=True)[0] == (datetime(2024, 1, 2, 3, 0, 0),)


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value", ["a\0b", "\x1b", "\ud800", {"a\0": 1}, {1: 2}, 2**63, float("nan"), float("inf"), object(), Colour.RED,
              {1, 2}, NOON.date(), 1j],
)  # fmt: skip
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(CallError):
        write_call("f", [value])


def test_what_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(CallError):
        write_call("f", [loop])


@pytest.mark.parametrize("method", ["", "a b", "a<b>", "é", "a\n"])
def test_methods_that_are_none(method: str) -> None:
    with pytest.raises(CallError):
        write_call(method, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240102T12:00:00", NOON),
        ("2024-01-02T12:00:00", NOON),
        (" 2024-01-02T12:00:00Z ", NOON.replace(tzinfo=UTC)),
        ("2024-01-02T12:00:00+00:00", NOON.replace(tzinfo=UTC)),
        ("20240102T120000", NOON),
    ],
)
def test_dates_as_servers_write_them(text: str, expected: datetime) -> None:
    assert read_response(answer(f"<dateTime.iso8601>{text}</dateTime.iso8601>")) == expected


def test_other_writers() -> None:
    assert read_response(answer("untyped")) == "untyped"
    assert read_response(answer("<i8>99999999999</i8>")) == 99999999999
    assert read_response(answer("<ex:nil xmlns:ex='x'/>")) is None


def test_a_fault() -> None:
    with pytest.raises(XmlRpcFault) as caught:
        read_response(xmlrpc.client.dumps(xmlrpc.client.Fault(42, "no such method")).encode())
    fault = caught.value
    assert (fault.code, fault.message) == (fault.faultCode, fault.faultString) == (42, "no such method")
    assert isinstance(fault, RpcFault) and isinstance(fault, xmlrpc.client.Fault)
    assert "42" in str(fault) and "no such method" in str(fault)


BOMB = (
    b'<!DOCTYPE methodResponse [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>"
)
OUTSIDE = (
    b'<!DOCTYPE methodResponse SYSTEM "file:///etc/passwd">'
    b"<methodResponse><params><param><value>x</value></param></params></methodResponse>"
)


@pytest.mark.parametrize("content", [BOMB, OUTSIDE])
def test_document_types_are_refused(content: bytes) -> None:
    with pytest.raises(ReplyError, match="document type"):
        read_response(content)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no xml", b"<html></html>", b"<methodResponse>", b"<methodResponse></methodResponse>",
        b"<methodResponse><params></params></methodResponse>", answer("<int>x</int>"), answer("<int></int>"),
        answer("<boolean>2</boolean>"), answer("<double>x</double>"),
        answer("<dateTime.iso8601>yesterday</dateTime.iso8601>"), answer("<what>1</what>"),
        answer("<struct><member><name>a</name></member></struct>"), answer("<int>" + "9" * 5000 + "</int>"),
        answer("<array><data>" * 200 + "</data></array>" * 200), answer("<bigdecimal>x</bigdecimal>"),
        b"<methodResponse><fault><value><int>1</int></value></fault></methodResponse>",
        b"<methodResponse><fault></fault></methodResponse>",
        b"<methodResponse><params><param><value><int>1</int></value></param><param><value><int>2</int></value></param>"
        b"</params></methodResponse>",
        b"<methodCall><methodName>f</methodName></methodCall>", answer("&undefined;"),
        answer("<struct><member><name>a</name><value><array><data/></array></value></member></struct>")[:-20],
    ],
)  # fmt: skip
def test_what_is_no_response(content: bytes) -> None:
    with pytest.raises(ReplyError):
        read_response(content)


def test_several_calls_as_one() -> None:
    raw = write_multicall([("add", [1, 2]), ("system.listMethods", [])])
    assert xmlrpc.client.loads(raw) == (
        ([{"methodName": "add", "params": [1, 2]}, {"methodName": "system.listMethods", "params": []}],),
        "system.multicall",
    )
    values = read_multicall(response([[3], {"faultCode": 1, "faultString": "no"}, [[]]]))
    assert values[0] == 3 and values[2] == []
    assert isinstance(values[1], XmlRpcFault) and values[1].code == 1


@pytest.mark.parametrize("value", ["x", [[1, 2]], [1], [{"a": 1}]])
def test_what_is_no_response_to_several(value: object) -> None:
    with pytest.raises(ReplyError):
        read_multicall(response(value))
