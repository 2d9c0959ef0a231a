"""Names whose addresses are judged before anybody connects to them."""

from __future__ import annotations

import socket
from collections.abc import Callable

from skitaid.upstream.errors import UpstreamError
from skitaid.upstream.guarded import GuardedResolver, TargetRefusedError
from skitaid.upstream.resolver import Answer


class Nobody:
    """Nothing here is looked up."""

    def call(self, function: Callable[[], None]) -> None:
        raise AssertionError


def resolved(host: str, admits: Callable[[str, str], bool]) -> list[Answer | UpstreamError]:
    told: list[Answer | UpstreamError] = []
    GuardedResolver(Nobody(), clock=lambda: 0.0, admits=admits).resolve(host, 80, told.append)
    return told


def test_an_address_that_is_admitted() -> None:
    asked: list[tuple[str, str]] = []
    (answer,) = resolved("192.0.2.1", lambda host, address: not asked.append((host, address)))
    assert isinstance(answer, tuple)
    assert (answer[0].family, answer[0].sockaddr) == (socket.AF_INET, ("192.0.2.1", 80))
    assert asked == [("192.0.2.1", "192.0.2.1")]


def test_an_address_that_is_not() -> None:
    (answer,) = resolved("192.0.2.1", lambda host, address: False)
    assert isinstance(answer, TargetRefusedError)
    assert answer.is_unsent


def test_other_spellings_of_an_address_are_judged_as_what_they_are() -> None:
    judged: list[str] = []
    for host in ("127.1", "0x7f.1", "2130706433", "017700000001", "::ffff:127.0.0.1"):
        resolved(host, lambda host, address: bool(judged.append(address)))
    assert judged == ["127.0.0.1"] * 4 + ["::ffff:127.0.0.1"]


def test_each_time_anew() -> None:
    judged: list[str] = []
    resolver = GuardedResolver(Nobody(), clock=lambda: 0.0, admits=lambda host, address: bool(judged.append(address)))
    for _ in range(2):
        resolver.resolve("192.0.2.1", 80, lambda answer: None)
    assert len(judged) == 2
