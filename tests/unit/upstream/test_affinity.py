"""The key that keeps a client's requests at one member."""

from __future__ import annotations

import pytest

from skitaid.protocols.headers import parse_block
from skitaid.upstream.affinity import Affinity


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"X-User: anna", b"anna"),
        (b"X-User: anna\r\nx-user: bert", b"anna, bert"),
        (b"X-User:", None),
        (b"Host: a", None),
    ],
)
def test_a_header_field_is_the_key(raw: bytes, expected: bytes | None) -> None:
    assert Affinity(b"x-user").key_of(parse_block(raw)) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Cookie: sid=1", b"1"),
        (b"Cookie: a=b; sid=1=2 ; sid=3", b"1=2"),
        (b"Cookie: a=b\r\nCookie: sid=7", b"7"),
        (b"Cookie: xsid=1; sid; SID=2; sid=", None),
        (b"Host: a", None),
    ],
)
def test_a_cookie_is_the_key(raw: bytes, expected: bytes | None) -> None:
    assert Affinity(b"sid", is_cookie=True).key_of(parse_block(raw)) == expected
