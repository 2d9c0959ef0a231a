"""The URL a person opens for an address that is listened on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Addresses that mean every address of the machine → one that a browser here reaches."""


def url_of(address: str, *, is_tls: bool = False) -> str:
    """`0.0.0.0:5000` → `http://127.0.0.1:5000/`; a unix socket stays as it is, no browser opens it."""
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    scheme, default_port = ("https", "443") if is_tls else ("http", "80")
    suffix = "" if port == default_port else f":{port}"
    return f"{scheme}://{ANYWHERE.get(host, host)}{suffix}/"


def urls_of(addresses: Iterable[str], *, is_tls: bool = False) -> list[str]:
    """Without those that come to the same."""
    return list(dict.fromkeys(url_of(address, is_tls=is_tls) for address in addresses))
