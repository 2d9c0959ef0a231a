"""A body as Python values, by its content type. Pure.

JSON gives what it stands for, forms and name-value bodies a dictionary, text a str, an XML-RPC response its value, and
everything else bytes.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from skitaid.was.messages.charsets import charset_of, to_text
from skitaid.was.messages.content_types import Kind, kind_of
from skitaid.was.messages.errors import ReplyError

__all__ = ["read_body", "read_json"]

_MAX_FORM_FIELDS = 10_000


def read_body(content: bytes, content_type: str) -> object:
    """The value of a body. Raises ReplyError for one that is not what its content type says, RpcFault for an XML-RPC
    fault."""
    kind = kind_of(content_type)
    if kind is Kind.JSON:
        return read_json(content, content_type)
    if kind in (Kind.FORM, Kind.NVP):
        return _read_form(to_text(content, content_type))
    if kind is Kind.XML and b"<methodResponse" in content[:1024]:
        from skitaid.was.messages.xmlrpc import read_response

        return read_response(content)
    if kind in (Kind.XML, Kind.TEXT):
        return to_text(content, content_type)
    return content


def read_json(content: bytes, content_type: str = "") -> object:
    """The value of a JSON body, in the charset that its type names; None for an empty one. Raises ReplyError."""
    if not content.strip():
        return None
    charset = charset_of(content_type)
    try:
        # json finds out which of the UTFs it is (RFC 8259 section 8.1).
        return json.loads(content if charset is None or charset.startswith("utf") else content.decode(charset))
    except (ValueError, RecursionError) as error:
        raise ReplyError(f"the response says that it is JSON, and is not: {error}") from error


def _read_form(text: str) -> dict[str, object]:
    """A name that comes several times has the list of its values."""
    try:
        pairs = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS)
    except ValueError as error:
        raise ReplyError(f"the response says that it is a form, and cannot be read: {error}") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
