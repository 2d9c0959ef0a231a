"""Content types that calls speak, and the default that an app may choose (`app.config.default_request_type`). Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from skitaid.was.messages.errors import CallError

__all__ = ["FORM", "JSON", "NVP", "XML", "Kind", "RequestType", "kind_of", "media_type", "parameter", "read_type"]

_PARAMETER: Final = re.compile(r';[ \t]*([\w!#$%&\'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;",]*))')


class Kind(Enum):
    """What a body is made of."""

    JSON = "json"
    FORM = "form"
    XML = "xml"
    NVP = "nvp"
    TEXT = "text"
    OTHER = "other"


class RequestType(NamedTuple):
    """What a request says of its body and of the answer that it wants. `content`: the Content-Type of a body; `accept`:
    what is to come back."""

    content: str
    accept: str


JSON: Final = RequestType("application/json", "application/json")
FORM: Final = RequestType("application/x-www-form-urlencoded", "*/*")
XML: Final = RequestType("text/xml", "text/xml")
NVP: Final = RequestType("text/namevalue", "text/namevalue")
_NAMED: Final = {"json": JSON, "form": FORM, "xml": XML, "nvp": NVP}

_KINDS: Final = {
    "application/json": Kind.JSON,
    "text/json": Kind.JSON,
    "application/x-www-form-urlencoded": Kind.FORM,
    "text/xml": Kind.XML,
    "application/xml": Kind.XML,
    "text/namevalue": Kind.NVP,
}


def media_type(content_type: str) -> str:
    """`text/html` of `Text/HTML; charset=utf-8`; "" when there is none."""
    return content_type.partition(";")[0].strip().lower()


def parameter(content_type: str, name: str) -> str | None:
    """The value of a parameter (RFC 9110 section 5.6.6), such as charset."""
    for key, quoted, plain in _PARAMETER.findall(content_type):
        if key.lower() == name:
            return re.sub(r"\\(.)", r"\1", quoted) or plain
    return None


def kind_of(content_type: str) -> Kind:
    """How bodies of that type are written and read."""
    kind = media_type(content_type)
    if kind in _KINDS:
        return _KINDS[kind]
    if kind.endswith("+json"):
        return Kind.JSON
    if kind.endswith("+xml"):
        return Kind.XML
    return Kind.TEXT if kind.startswith("text/") else Kind.OTHER


def read_type(setting: object) -> RequestType:
    """A default request type as an app sets it: json, form, xml or nvp, a content type, or a pair of content type and
    Accept. None: json. Raises CallError."""
    if setting is None:
        return JSON
    if isinstance(setting, str):
        named = _NAMED.get(setting.lower())
        if named is not None:
            return named
        if "/" in setting:
            return RequestType(setting, setting)
    elif isinstance(setting, tuple | list) and len(setting) == 2:
        content, accept = (str(part) for part in setting)
        return RequestType(content, accept)
    raise CallError(
        f"default_request_type: found {setting!r}, expected one of {', '.join(_NAMED)}, a content type, or a pair of"
        " content type and Accept"
    )
