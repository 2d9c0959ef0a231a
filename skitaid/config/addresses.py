"""Addresses in conf files: what to listen on, host names of virtual hosts, networks."""

from __future__ import annotations

import re
import socket

from skitaid.config.document import Value
from skitaid.config.fields import Kind, Place, each, scalar, sequence
from skitaid.config.model import Listen, Origin
from skitaid.config.paths import resolve
from skitaid.config.report import UnfitError

__all__ = [
    "bind_address",
    "host_name",
    "is_host",
    "listen_list",
    "network",
    "networks",
    "parse_port",
    "peer",
    "peers",
    "ports",
    "split_port",
    "targets",
]

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def is_ipv4(text: str) -> bool:
    return _is_address(socket.AF_INET, text)


def is_ipv6(text: str) -> bool:
    return _is_address(socket.AF_INET6, text)


def _is_address(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def is_host(text: str) -> bool:
    """An IPv4 address, a bare IPv6 address or a host name."""
    return is_ipv4(text) or is_ipv6(text) or _is_name(text.lower())


def _is_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return len(text) <= 253 and not labels[-1].isdigit() and all(_LABEL.fullmatch(label) for label in labels)


def parse_port(text: str, low: int = 0) -> int:
    """A port number. Raises UnfitError."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,5}", text, re.ASCII) or not low <= int(text) <= 65535:
        raise UnfitError(f"port {text!r}: expected a whole number from {low} to 65535")
    return int(text)


def split_port(text: str) -> tuple[str, str | None]:
    """`host:port` or `[v6]:port` to host (without brackets) and port, None when there is none. Raises
    UnfitError for an IPv6 address without brackets."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    if bracketed:
        return bracketed[1], bracketed[2]
    if text.count(":") > 1:
        raise UnfitError(f"{text!r}: an IPv6 address stands in brackets", f"write {_bracketed(text)}")
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _bracketed(text: str) -> str:
    host, _, port = text.rpartition(":")
    return f"[{host}]:{port}" if is_ipv6(host) else f"[{text}]:PORT"


# ---------------------------------------------------------------- listen


def bind_address() -> Kind:
    """`ip`: an address of this machine; empty means every IPv4 address, `::` every IPv6 address."""
    kind = scalar("an IP address, or nothing for all", _parse_bind)
    return Kind(kind.expected, kind.read, kind.show, takes_empty=True)


def _parse_bind(text: str) -> str:
    host = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    if host in ("", "*", "0.0.0.0"):
        return ""
    if not is_host(host):
        raise UnfitError
    return host.lower()


def listen_list() -> Kind:
    """`listen`: a list of `addr:port`, `[::]:port`, `unix:/path`."""
    return Kind(
        "addr:port, [::]:port or unix:/path, separated by commas",
        _read_listen,
        lambda found: tuple(str(listen) for listen in found),
        is_list=True,
    )


def _read_listen(value: Value, place: Place) -> tuple[Listen, ...]:
    origin = Origin(place.path, value.line)
    found = each(value.items, lambda item: parse_listen(item, place, origin))
    if not found:
        raise UnfitError("is empty", "remove the line to listen on port 5000")
    return found


def parse_listen(item: str, place: Place, origin: Origin) -> Listen:
    """One address to listen on. Raises UnfitError."""
    if item.startswith("unix:"):
        if not item[5:].strip("/"):
            raise UnfitError(f"{item!r} names no file", "write unix:/run/NAME.sock")
        path = str(resolve(item[5:], place.folder))
        if len(path.encode()) > 107:  # sun_path of sockaddr_un holds 108 bytes, the last of them zero
            raise UnfitError("the path of a unix socket has at most 107 bytes", "choose a shorter one")
        return Listen(port=0, path=path, origin=origin)
    if item.startswith("/"):
        raise UnfitError(f"{item!r} is not an address", f"did you mean unix:{item}?")
    if item.isascii() and item.isdigit():
        return Listen(port=parse_port(item), origin=origin)
    host, port = split_port(item)
    if port is None:
        raise UnfitError(f"{item!r} has no port", f"write {item}:5000")
    try:
        return Listen(_parse_bind(host), parse_port(port), origin=origin)
    except UnfitError as error:
        raise UnfitError(error.text or f"{host!r} is not an address", error.fix) from None


# ---------------------------------------------------------------- virtual hosts


def host_name(text: str) -> str:
    """A name of a host line, lower case; `.domain` for a domain and all below it. Raises UnfitError."""
    if text.startswith("*."):
        raise UnfitError(f"{text!r} is not a host name", f"write {text[1:]} for that domain and all below it")
    if "/" in text:
        raise UnfitError(f"{text!r} is not a host name", "write the name without http:// and path")
    if re.fullmatch(r"[^:]+:\d+", text):
        raise UnfitError(f"{text!r} is not a host name", "write the name without a port; it is good for every port")
    name = text.lower().removesuffix(".")
    if not name.isascii():
        name = _to_ascii(text, name)
    if is_ipv6(name.strip("[]")) and name[:1] == "[" and name[-1:] == "]":
        return name
    if not (_is_name(name.removeprefix(".")) or is_ipv4(name)):
        raise UnfitError(f"{text!r} is not a host name", "use letters, digits, - and dots; `default` for all others")
    return name


def _to_ascii(text: str, name: str) -> str:
    dot = "." if name.startswith(".") else ""
    try:
        return dot + name.removeprefix(".").encode("idna").decode("ascii")
    except UnicodeError:
        raise UnfitError(f"{text!r} is not a host name") from None


# ---------------------------------------------------------------- networks


def networks() -> Kind:
    return sequence("networks such as 10.0.0.0/8, 192.168.1/24 or ::1", lambda item, _: network(item))


def peers() -> Kind:
    """`trusted`: networks, and `unix` for whoever comes by a unix socket."""
    return sequence("networks such as 10.0.0.0/8, 192.168.1/24 or ::1, or unix", lambda item, _: peer(item))


def peer(text: str) -> str:
    """`unix`, or a network. Raises UnfitError."""
    word = text.lower()
    if word == "unix":
        return word
    if word == "localhost":
        raise UnfitError(f"{text!r} is not a network", "write 127.0.0.1, ::1")
    if word.startswith("unix:"):
        raise UnfitError(f"{text!r} is not a network", "write unix, which stands for every unix socket in listen")
    return network(text)


def targets() -> Kind:
    """`allow_targets`, `deny_targets`: networks, names, `.domain`, and the words `public` and `any`."""
    expected = "public, any, networks such as 10.0.0.0/8, and host names such as www.example.com or .example.com"
    return sequence(expected, lambda item, _: _target(item))


def _target(text: str) -> str:
    word = text.lower()
    if word in ("public", "any"):
        return word
    return network(text) if "/" in text or is_ipv4(text) or is_ipv6(text) else host_name(text)


def ports() -> Kind:
    """A list of port numbers; `any` is None, every port."""
    return Kind(
        "port numbers, separated by commas, or any",
        lambda value, _: None if value.text.lower() == "any" else each(value.items, lambda item: parse_port(item, 1)),
        lambda found: "any" if found is None else tuple(str(port) for port in found),
        is_list=True,
        takes_empty=True,
    )


def network(text: str) -> str:
    """A network in CIDR form; `192.168.1/24` stands for 192.168.1.0/24, an address for itself alone. Raises
    UnfitError."""
    import ipaddress  # imported late: few confs name networks

    base, slash, mask = text.partition("/")
    if ":" not in base and base.count(".") < 3 and slash:
        base += ".0" * (3 - base.count("."))
    try:
        return str(ipaddress.ip_network(f"{base}/{mask}" if slash else base))
    except ValueError as error:
        fix = ""
        if "host bits" in str(error):
            fix = f"did you mean {ipaddress.ip_network(f'{base}/{mask}', strict=False)}?"
        raise UnfitError(f"{text!r} is not a network", fix) from None
