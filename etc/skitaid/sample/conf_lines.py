"""The lines of [routes:line] of a conf file, with their numbers. Reads text, opens nothing.

The front page shows them. skitaid's own reader is stricter; this one passes over what it does not understand.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HOST = "default"


@dataclass(frozen=True, slots=True)
class RouteLine:
    """`number` is 1-based; `host` is the host line above, or DEFAULT_HOST; `text` is the line without comments."""

    number: int
    text: str
    host: str
    path: str
    target: str


def read_routes(text: str) -> list[RouteLine]:
    routes: list[RouteLine] = []
    section, host = "", DEFAULT_HOST
    for number, written in enumerate(text.split("\n"), start=1):
        line = _without_comment(written)
        if line.startswith("["):
            section = line
        elif section != "[routes:line]":
            continue
        elif line.startswith((":", "@")):
            host = line[1:].strip()
        elif route := _route(line, number, host):
            routes.append(route)
    return routes


def _route(line: str, number: int, host: str) -> RouteLine | None:
    path, equals, target = (part.strip() for part in line.partition("="))
    if not equals or not path.startswith("/"):
        return None
    return RouteLine(number, line, host, path, target)


def _without_comment(line: str) -> str:
    line = line.lstrip("\ufeff").strip()
    return "" if line.startswith((";", "#")) else line.partition(" ;")[0].rstrip()
