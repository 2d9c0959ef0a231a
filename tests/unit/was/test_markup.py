"""`was.tojson` and its kin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from skitaid import was
from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.xmlrpc import XmlRpcFault


@pytest.mark.parametrize("data", [{"a": [1, 2.5, None, True, "é"]}, [], "x", 5, None])
def test_json(data: Any) -> None:
    assert was.fromjson(was.tojson(data)) == data


@pytest.mark.parametrize(
    "data", [{"a": [1, 2.5, True, "é<&>"]}, [], "x", 5, 1 << 40, None, datetime(2026, 1, 2, 3, 4, 5), b"\0\xff"]
)
def test_xml(data: Any) -> None:
    text = was.toxml(data)
    assert isinstance(text, str)
    assert was.fromxml(text) == was.fromxml(text.encode()) == data


def test_what_is_no_markup() -> None:
    with pytest.raises(CallError):
        was.tojson(object())
    with pytest.raises(CallError):
        was.toxml(object())
    with pytest.raises(ReplyError):
        was.fromjson("{")
    with pytest.raises(ReplyError):
        was.fromxml("<a>")
    fault = (
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member>"
        "<member><name>faultString</name><value>no</value></member></struct></value></fault></methodResponse>"
    )
    with pytest.raises(XmlRpcFault):
        was.fromxml(fault)
