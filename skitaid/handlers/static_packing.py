"""Compressing small text files that have no compressed neighbour, once for as long as they are kept. Pure."""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["is_packable", "pack"]

MIN_BYTES: Final = 1000
"""Less fits into one packet as it is."""
# A file that is kept takes 2 ms at most; the last levels would take three times as long for a percent.
_LEVEL: Final = 5
_GZIP: Final = 31
_WORTH: Final = 0.9
_TYPES: Final = frozenset({
    "application/json", "application/xml", "application/wasm", "application/rtf", "application/postscript",
    "application/toml", "application/yaml", "application/sql", "application/x-sh", "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject", "font/ttf", "font/otf", "font/collection", "image/bmp", "image/x-icon",
})  # fmt: skip


def is_packable(content_type: str, size: int) -> bool:
    """Whether a file of that type and size is likely to shrink."""
    kind = content_type.partition(";")[0]
    return size >= MIN_BYTES and (kind.startswith("text/") or kind.endswith(("+xml", "+json")) or kind in _TYPES)


def pack(body: bytes) -> bytes | None:
    """`body` as gzip, the same bytes every time; None when that saves too little."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = packer.compress(body) + packer.flush()
    return packed if len(packed) < len(body) * _WORTH else None
