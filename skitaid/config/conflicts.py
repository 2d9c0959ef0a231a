"""Two that want the same address: found before either tries to bind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skitaid.config.model import Instance, Listen
from skitaid.exceptions import Problem

__all__ = ["conflicts"]


def conflicts(instance: Instance, others: Iterable[Instance]) -> list[Problem]:
    """The addresses of `instance` that others have, or that it names twice, reported for `instance`."""
    found = [_twice(instance, first, second) for first, second in _own_pairs(instance)]
    for other in others:
        if other.name != instance.name:
            found += [_taken(instance, mine, theirs, other) for mine, theirs in _clashes(instance, other)]
    return found


def _own_pairs(instance: Instance) -> Iterator[tuple[Listen, Listen]]:
    listens = instance.server.listen
    for at, second in enumerate(listens):
        for first in listens[:at]:
            if _overlap(first, second):
                yield first, second


def _clashes(instance: Instance, other: Instance) -> Iterator[tuple[Listen, Listen]]:
    for mine in instance.server.listen:
        for theirs in other.server.listen:
            if _overlap(mine, theirs):
                yield mine, theirs


def _overlap(one: Listen, two: Listen) -> bool:
    if one.path is not None or two.path is not None:
        return one.path == two.path
    if one.port != two.port or one.port == 0:
        return False
    hosts = {_host(one), _host(two)}
    if len(hosts) == 1:
        return True
    # every IPv4 address takes in each IPv4 address, but no IPv6 one: the sockets are opened apart
    is_v6 = {":" in host for host in hosts}
    return len(is_v6) == 1 and bool(hosts & {"", "::"})


def _host(listen: Listen) -> str:
    return "127.0.0.1" if listen.host == "localhost" else listen.host


def _twice(instance: Instance, first: Listen, second: Listen) -> Problem:
    text = f"[server] listen names {first} and {second}, which overlap; expected addresses that differ"
    return Problem(str(instance.path), second.origin.line, text, "keep one of the two")


def _taken(instance: Instance, mine: Listen, theirs: Listen, other: Instance) -> Problem:
    text = f"[server] {mine} is taken by instance {other.name}, {theirs} ({theirs.origin}); expected a free address"
    fix = "choose another port" if mine.origin.line else "write port = NUMBER below [server]"
    return Problem(str(instance.path), mine.origin.line, text, fix)
