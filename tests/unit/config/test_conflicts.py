from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.config.conflicts import conflicts
from skitaid.config.model import Instance, Listen, Origin, Server


def instance(name: str, *listen: Listen) -> Instance:
    return Instance(name, Path(f"{name}.conf"), Server(listen=listen))


def at(host: str, port: int, line: int = 2, path: str | None = None) -> Listen:
    return Listen(host, port, path, Origin("a.conf", line))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (at("", 80), at("", 80)),
        (at("", 80), at("127.0.0.1", 80)),
        (at("127.0.0.1", 80), at("localhost", 80)),
        (at("::", 80), at("::1", 80)),
        (at("", 0, path="/run/a"), at("", 0, path="/run/a")),
    ],
)
def test_overlap(one: Listen, two: Listen) -> None:
    assert len(conflicts(instance("b", two), [instance("a", one)])) == 1
    assert len(conflicts(instance("b", one), [instance("a", two)])) == 1
    assert len(conflicts(instance("b", one, two), [])) == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (at("", 80), at("", 81)),
        (at("", 0), at("", 0)),
        (at("127.0.0.1", 80), at("127.0.0.2", 80)),
        (at("", 80), at("::", 80)),
        (at("", 80), at("::1", 80)),
        (at("", 80), at("", 80, path="/run/a")),
        (at("", 0, path="/run/a"), at("", 0, path="/run/b")),
    ],
)
def test_no_overlap(one: Listen, two: Listen) -> None:
    assert conflicts(instance("b", two), [instance("a", one)]) == []
    assert conflicts(instance("b", one, two), []) == []


def test_both_places_are_named() -> None:
    found = conflicts(instance("b", at("", 80, line=7)), [instance("a", at("", 80, line=3))])
    assert [str(problem) for problem in found] == [
        "b.conf:7: [server] 0.0.0.0:80 is taken by instance a, 0.0.0.0:80 (a.conf:3); expected a free address "
        "(choose another port)"
    ]


def test_an_instance_does_not_clash_with_its_older_self() -> None:
    assert conflicts(instance("a", at("", 80)), [instance("a", at("", 80))]) == []
