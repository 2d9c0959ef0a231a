"""How a host is written before a port."""

from __future__ import annotations

__all__ = ["uri_host"]


def uri_host(host: str) -> str:
    """A name or an address as it stands in a URL: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host
