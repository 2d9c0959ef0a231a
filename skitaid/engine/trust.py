"""Which peers are believed in what they say about others. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final

__all__ = ["NEAR", "TrustedPeers", "pack", "plain_address"]

_MAX_KEPT: Final = 1024
_MAPPED: Final = bytes(10) + b"\xff\xff"


def pack(address: str) -> bytes | None:
    """An address as 4 or 16 bytes; None for text that is none. IPv4 inside IPv6 (RFC 4291 section 2.5.5.2), as a
    socket for both has it, is IPv4. A zone (`%eth0`) does not count."""
    text = address.partition("%")[0]
    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def plain_address(address: str) -> str | None:
    """The usual text of an address; None for text that is none."""
    packed = pack(address)
    if packed is None:
        return None
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


class TrustedPeers:
    """A set of peers, by their addresses. `names`: networks in CIDR form, single addresses, and `unix` for whoever
    comes by a unix socket. Raises ValueError for anything else."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        given = tuple(names)
        self._unix = "unix" in given
        self._networks = tuple(_network(name) for name in given if name != "unix")
        self._kept: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def holds(self, address: str) -> bool:
        """Whether the peer at `address` is believed; "" is the peer of a unix socket. What is not an address is not."""
        if not address:
            return self._unix
        try:
            return self._kept[address]
        except KeyError:
            found = self._find(address)
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[address] = found
        return found

    def _find(self, address: str) -> bool:
        packed = pack(address)
        if packed is None:
            return False
        size, number = len(packed), int.from_bytes(packed, "big")
        return any(size == width and number & mask == base for width, mask, base in self._networks)


def _network(text: str) -> tuple[int, int, int]:
    """Bytes of an address, mask, base."""
    address, _, digits = text.partition("/")
    packed = pack(address)
    if packed is None:
        raise ValueError(f"{text!r} is not a network")
    width = len(packed)
    full = 128 if ":" in address else 32
    # 96 bits of an IPv4 network that is written inside IPv6 are the same for all of IPv4.
    bits = int(digits or full) - (full - width * 8)
    if not 0 <= bits <= width * 8:
        raise ValueError(f"{text!r} is not a network")
    mask = ((1 << bits) - 1) << (width * 8 - bits)
    return width, mask, int.from_bytes(packed, "big") & mask


NEAR: Final = TrustedPeers((
    "unix", "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10",
))  # fmt: skip
"""This machine and private networks, where a proxy of one's own is likely to be. Nobody is trusted for it."""
