"""Paths as URLs write them (RFC 3986 section 2)."""

from __future__ import annotations

from typing import Final

__all__ = ["quote_path"]

# Unreserved characters, and the reserved ones that mean nothing within a path (RFC 3986 section 3.3).
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/")


def quote_path(raw: bytes) -> str:
    """`raw` with every other byte as %XX. A backslash too: browsers take it for a slash."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)
