"""Who may use the forward proxy, and where it leads. Pure, but for the question whether an address is this machine's.

A proxy that leads anywhere is a door into the networks behind it: a stranger who may use it, or a page that makes an
innocent browser use it, would reach what no firewall lets in. So private addresses are closed unless they are opened,
and an address is judged when it is about to be connected to, not by what its name stood for a moment before.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from skitaid.engine.trust import TrustedPeers

__all__ = ["ForwardSettings", "TargetPolicy", "is_public", "is_this_machine", "may_be_asked"]

PUBLIC: Final = "public"
ANY: Final = "any"
_USUAL_PORTS: Final = (80, 443)
_FIRST_FREE_PORT: Final = 1024
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """`allow`, `deny`: networks of clients, and `unix`. `allow_targets`, `deny_targets`: networks, host names,
    `.domain`, `public`, `any`. `connect_ports`: where tunnels may lead, None for every port. `users`: names and
    passwords; without one nobody is asked. `channel_s`, `tunnel_s`: without a byte."""

    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128", "unix")
    deny: tuple[str, ...] = ()
    allow_targets: tuple[str, ...] = (PUBLIC,)
    deny_targets: tuple[str, ...] = ()
    connect_ports: tuple[int, ...] | None = (443,)
    users: tuple[tuple[str, str], ...] = ()
    channel_s: float = 60.0
    tunnel_s: float = 600.0


class _Targets:
    """A list of them. Raises ValueError for what is neither a network nor a name."""

    def __init__(self, given: Iterable[str]) -> None:
        words = [word.lower() for word in given]
        self.is_any = ANY in words
        self.has_public = PUBLIC in words
        names = [word for word in words if word not in (ANY, PUBLIC) and not _is_network(word)]
        self._names = frozenset(name for name in names if not name.startswith("."))
        self._domains = tuple(name for name in names if name.startswith("."))
        self._networks = TrustedPeers(word for word in words if _is_network(word))

    def has_name(self, host: str) -> bool:
        return host in self._names or f".{host}".endswith(self._domains)

    def has_network_of(self, address: str) -> bool:
        return self._networks.holds(address)


class TargetPolicy:
    """Where a proxy leads. A name that is allowed may have any address; this machine's own addresses are public to
    nobody, whatever they are."""

    def __init__(
        self, allow: Iterable[str], deny: Iterable[str], *, is_own: Callable[[str], bool] | None = None
    ) -> None:
        self._allow = _Targets(allow)
        self._deny = _Targets(deny)
        self._is_own = is_own or is_this_machine

    def may_name(self, host: str) -> bool:
        """Whether it makes sense to look `host` up."""
        host = _plain(host)
        return not self._deny.is_any and not self._deny.has_name(host)

    def may_reach(self, host: str, address: str) -> bool:
        """Whether `host` may be connected to at `address`."""
        host = _plain(host)
        allow, deny = self._allow, self._deny
        if not self.may_name(host) or (deny.has_public and is_public(address)):
            return False
        if any(deny.has_network_of(each) for each in (address, *_others(address))):
            return False
        if allow.is_any or allow.has_name(host) or allow.has_network_of(address):
            return True
        return allow.has_public and is_public(address) and not self._is_own(address)


def may_be_asked(port: int) -> bool:
    """Whether a request may go to a port. What listens below 1024 and is no web server could take a request for
    something else: a mail, for instance."""
    return port in _USUAL_PORTS or port >= _FIRST_FREE_PORT


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet at large; one that stands for another is what that is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(found)
    if inner is not None:
        return is_public(str(inner))
    is_old = isinstance(found, ipaddress.IPv6Address) and found.is_site_local
    return found.is_global and not found.is_multicast and not found.is_reserved and not is_old


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64 (RFC 4291, 3056, 4380, 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo and teredo[1])


def _others(address: str) -> tuple[str, ...]:
    """What else is reached by an address. A connection to the unspecified one leads to the machine itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ()
    inner = _inner(found)
    if inner is not None:
        return (str(inner), *_others(str(inner)))
    return ("127.0.0.1", "::1") if found.is_unspecified else ()


def is_this_machine(address: str) -> bool:
    """Whether an address is one of this machine's: only such can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _is_network(word: str) -> bool:
    try:
        TrustedPeers((word,))
    except ValueError:
        return False
    return word != "unix"
