from __future__ import annotations

import gzip
import os

import pytest

from skitaid.engine.coding import MIN_BYTES
from skitaid.handlers.static.compression import compress, is_compressible


@pytest.mark.parametrize(
    ("content_type", "packable"),
    [
        ("text/html; charset=utf-8", True),
        ("text/css", True),
        ("text/javascript; charset=utf-8", True),
        ("application/json; charset=utf-8", True),
        ("application/manifest+json; charset=utf-8", True),
        ("image/svg+xml; charset=utf-8", True),
        ("application/wasm", True),
        ("font/ttf", True),
        ("image/x-icon", True),
        ("font/woff2", False),
        ("image/png", False),
        ("video/mp4", False),
        ("application/gzip", False),
        ("application/pdf", False),
        ("application/octet-stream", False),
    ],
)
def test_types(content_type: str, packable: bool) -> None:
    assert is_compressible(content_type, MIN_BYTES) is packable
    assert not is_compressible(content_type, MIN_BYTES - 1)


def test_the_same_bytes_every_time() -> None:
    body = b"text " * 1000
    packed = compress(body)
    assert packed is not None
    assert packed == compress(body)
    assert packed[4:8] == bytes(4), "no time in the header"
    assert gzip.decompress(packed) == body


def test_what_does_not_shrink() -> None:
    assert compress(os.urandom(5000)) is None
    assert compress(b"") is None
