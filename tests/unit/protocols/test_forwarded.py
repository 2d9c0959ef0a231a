from __future__ import annotations

import time

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.forwarded import Element, Node, parse_forwarded, parse_node, split_list

# ---------------------------------------------------------------- Forwarded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"for=192.0.2.43", [Element(b"for=192.0.2.43", b"192.0.2.43")]),
        (b'for="_gazonk"', [Element(b'for="_gazonk"', b"_gazonk")]),
        (b'For="[2001:db8:cafe::17]:4711"', [Element(b'For="[2001:db8:cafe::17]:4711"', b"[2001:db8:cafe::17]:4711")]),
        (b"for=192.0.2.60;proto=http;by=203.0.113.43",
         [Element(b"for=192.0.2.60;proto=http;by=203.0.113.43", b"192.0.2.60", b"http")]),
        (b"for=192.0.2.43, for=198.51.100.17",
         [Element(b"for=192.0.2.43", b"192.0.2.43"), Element(b"for=198.51.100.17", b"198.51.100.17")]),
        (b'PROTO=https;host="example.com:8080"',
         [Element(b'PROTO=https;host="example.com:8080"', proto=b"https", host=b"example.com:8080")]),
        (b'for="a,b;c=d"', [Element(b'for="a,b;c=d"', b"a,b;c=d")]),
        (b'for="a\\"b\\\\"', [Element(b'for="a\\"b\\\\"', b'a"b\\')]),
        (b"secret=x", [Element(b"secret=x")]),
        (b"for=192.0.2.1:80", [Element(b"for=192.0.2.1:80", b"192.0.2.1:80")]),
        (b" for=a ;\tproto=http ; ", [Element(b"for=a ;\tproto=http ;", b"a", b"http")]),
        (b";for=a", [Element(b";for=a", b"a")]),
        (b'for=""', [Element(b'for=""')]),
        (b"for=a,, ,for=b,", [Element(b"for=a", b"a"), Element(b"for=b", b"b")]),
        (b"", []),
        (b" , ", []),
    ],
)  # fmt: skip
def test_the_elements_of_forwarded(value: bytes, expected: list[Element]) -> None:
    """RFC 7239 sections 4 and 7.1, whose examples are among these."""
    assert parse_forwarded(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b'for="192.0.2.1',
        b'for="192.0.2.1, for=198.51.100.17',
        b'for="a", for="',
        b"for",
        b"for=",
        b"for=a b",
        b"for=a for=b",
        b"for = a",
        b"=a",
        b"for=a;for=b",
        b"for=a;FOR=b",
        b"for='a b'",
        b"for=a/b",
        b'for="a"b',
    ],
)
def test_a_forwarded_that_can_be_read_in_two_ways_is_refused(value: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_forwarded(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "value",
    [b'for="' + b"\\a" * 30000, b"for=" + b"a" * 60000 + b"(", b" " * 60000 + b"(", b"for=a;" * 10000, b"," * 60000],
)
def test_a_hostile_forwarded_costs_no_more_than_its_length(value: bytes) -> None:
    begun = time.process_time()
    try:
        parse_forwarded(value)
    except ProtocolError as error:
        assert error.status == 400
    assert time.process_time() - begun < 1.0


# ---------------------------------------------------------------- nodes and lists


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"192.0.2.1", Node("192.0.2.1")),
        (b"192.0.2.1:4711", Node("192.0.2.1", "4711")),
        (b"[2001:db8::1]", Node("2001:db8::1")),
        (b"[2001:db8::1]:4711", Node("2001:db8::1", "4711")),
        (b"2001:db8::1", Node("2001:db8::1")),
        (b"unknown", Node("unknown")),
        (b"_hidden", Node("_hidden")),
        (b"192.0.2.1:65535", Node("192.0.2.1", "65535")),
        (b"192.0.2.1:65536", None),
        (b"192.0.2.1:x", None),
        (b"[2001:db8::1", None),
        (b"[2001:db8::1]x", None),
        (b"[]", None),
        (b"", None),
        (b":80", None),
    ],
)
def test_a_node_is_a_name_and_perhaps_a_port(raw: bytes, expected: Node | None) -> None:
    """RFC 7239 section 6, and the bare IPv6 address of X-Forwarded-For."""
    assert parse_node(raw) == expected


def test_a_list_loses_blanks_and_what_is_empty() -> None:
    assert split_list(b" a ,\tb,, c") == [b"a", b"b", b"c"]
    assert split_list(b" , ") == []
