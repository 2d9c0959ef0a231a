"""Values to text and back: JSON, and XML as XML-RPC has it."""

from __future__ import annotations

from typing import Any

from skitaid.was.messages.decoding import read_json
from skitaid.was.messages.encoding import encode_body
from skitaid.was.messages.xmlrpc import read_response, write_response

__all__ = ["fromjson", "fromxml", "tojson", "toxml"]


def tojson(data: object) -> str:
    """Dates become texts as ISO 8601 has them. Raises CallError for what JSON has no form for."""
    return encode_body([data], "application/json").decode()[1:-1]


def fromjson(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ReplyError for what is not JSON."""
    return read_json(text.encode() if isinstance(text, str) else text)


def toxml(data: object) -> str:
    """A methodResponse of XML-RPC that carries `data`. Raises CallError for what XML-RPC has no form for."""
    return write_response(data).decode()


def fromxml(text: str | bytes) -> Any:
    """The value that such a text carries. Raises ReplyError, XmlRpcFault."""
    return read_response(text.encode() if isinstance(text, str) else text)
