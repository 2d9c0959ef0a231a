"""The fields by which proxies tell of whom they pass on: Forwarded (RFC 7239) and X-Forwarded-For. Whether they are
believed is not decided here, nor whether an address is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from skitaid.protocols.errors import ProtocolError

__all__ = ["Element", "Node", "parse_forwarded", "parse_node", "split_list"]

# RFC 9110 sections 5.6.2 and 5.6.4, RFC 7239 section 4. A colon and brackets belong in quotes; proxies forget that.
_PAIR: Final = re.compile(
    rb"""[ \t]*+([!#$%&'*+\-.^_`|~0-9A-Za-z]++)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z:\[\]]++)|"((?:[^"\\]|\\.)*+)")[ \t]*+"""
).match
_ESCAPED: Final = re.compile(rb"\\(.)")
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?").fullmatch


@dataclass(frozen=True, slots=True)
class Node:
    """One end of a hop: a name or an address as text, its port as text or ""."""

    name: str
    port: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """What one proxy tells of a request: from whom it came, with which scheme and Host. `raw`: the same as it came."""

    raw: bytes
    node: bytes = b""
    proto: bytes = b""
    host: bytes = b""


def parse_forwarded(value: bytes) -> list[Element]:
    """The elements of a Forwarded field, the farthest first (RFC 7239 section 4).

    Raises ProtocolError 400: behind a quotation mark that a client left open nobody can tell whose words follow.
    """
    elements = []
    at = 0
    while at < len(value):
        end, pairs = _parse_element(value, at)
        raw = value[at:end].strip(b" \t")
        if raw:
            get = pairs.get
            elements.append(Element(raw, get(b"for", b""), get(b"proto", b""), get(b"host", b"")))
        at = end + 1
    return elements


def _parse_element(value: bytes, at: int) -> tuple[int, dict[bytes, bytes]]:
    """The pairs from `at` on, and where the comma or the end after them is."""
    pairs: dict[bytes, bytes] = {}
    while True:
        match = _PAIR(value, at)
        if match is not None:
            name, token, quoted = match.groups()
            name = name.lower()
            if name in pairs:
                raise ProtocolError(400, "Forwarded names a parameter twice")
            pairs[name] = token if token is not None else _ESCAPED.sub(rb"\1", quoted)
            at = match.end()
        else:
            while value[at : at + 1] in (b" ", b"\t"):
                at += 1
        mark = value[at : at + 1]
        if mark in (b"", b","):
            return at, pairs
        if mark != b";":
            raise ProtocolError(400, "Forwarded is not a list of name=value")
        at += 1


def split_list(value: bytes) -> list[bytes]:
    """The elements of a comma-separated list without the blanks around them, empty ones left out."""
    return [item for part in value.split(b",") if (item := part.strip(b" \t"))]


def parse_node(raw: bytes) -> Node | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, `unknown`, `_hidden` (RFC 7239
    section 6); None for anything else."""
    text = raw.decode("latin-1")
    match = _NODE(text)
    if match is None:
        return Node(text) if text.count(":") > 1 and "[" not in text else None
    port = match[3] or ""
    return Node(match[1] or match[2], port) if int(port or 0) < 65536 else None
