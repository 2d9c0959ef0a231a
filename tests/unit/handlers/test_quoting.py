from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest

from skitaid.handlers.quoting import quote_path


@pytest.mark.parametrize(
    ("raw", "quoted"),
    [
        (b"/a/b-c_d~e.txt", "/a/b-c_d~e.txt"),
        (b"/a b", "/a%20b"),
        (b"\\evil", "%5Cevil"),
        (b"a?b#c%d", "a%3Fb%23c%25d"),
        (b'"<>', "%22%3C%3E"),
        (b"\r\nX: y", "%0D%0AX:%20y"),
        ("ä".encode(), "%C3%A4"),
        (b"\xff", "%FF"),
    ],
)
def test_quoted(raw: bytes, quoted: str) -> None:
    assert quote_path(raw) == quoted


def test_every_byte_comes_back() -> None:
    raw = bytes(range(256))
    assert unquote_to_bytes(quote_path(raw)) == raw
    assert quote_path(raw).isascii()
