"""From the target that a client asked for to the one that a member is asked for, and back in Location. Pure.

What a client wrote goes on as it is, escapes included: the member's idea of `%2F` is its own business. Only the mount
point in front is exchanged for the path that the mount maps to. A path that could lead out of that again is refused,
however the member may read it; and so is one that could lead into another proxy's mount, which may be for others only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from skitaid.handlers.quoting import quote_path
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestLine

__all__ = ["Remap"]

_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}").match
_ENCODED_SLASH: Final = re.compile(rb"%2[Ff]").match
# What some server or other takes for a separator of segments, beside the slash.
_OTHER_SEPARATOR: Final = re.compile(rb"%2[Ff]|%5[Cc]|\\").search
_ANY_SEPARATOR: Final = re.compile(rb"/|%2[Ff]|%5[Cc]|\\").split
_DOT: Final = re.compile(rb"%2[Ee]")
_MAX_KEPT: Final = 1024
_MAX_KEPT_BYTES: Final = 256


class Remap:
    """A mount at `mount` (as a Route has it) of an alias, with the path `to` in front; None: nothing in front, the
    mount point is cut off. `deeper`: mounts below this one that are passed on as well, perhaps not to everybody."""

    def __init__(self, mount: str, to: str | None = None, *, deeper: Sequence[str] = ()) -> None:
        self._deeper = tuple(f"{path}/" for path in deeper)
        self._length = len(mount)
        self._mount = quote_path(mount.encode("latin-1")).encode("ascii")
        # Escapes in a conf stay escapes.
        self._to = quote_path((to or "").encode("utf-8")).replace("%25", "%").encode("ascii")
        self._prefix = self._to.rstrip(b"/")
        self._is_same = self._prefix == self._mount
        self._kept: dict[str, bytes] = {}

    def target(self, line: RequestLine) -> bytes:
        """Path and query for a member. Raises ProtocolError 400 for a path that leads out of the mount, or into one
        below it by another way than its own."""
        kept = self._kept.get(line.target)
        if kept is not None:
            return kept
        if self._deeper and any(reading.startswith(self._deeper) for reading in _readings(line.path)):
            raise ProtocolError(400, "the path leads to a place that has a plainer one")
        target = self._path(line.raw_path)
        if "?" in line.target:
            target = b"%b?%b" % (target, line.raw_query)
        if len(target) <= _MAX_KEPT_BYTES:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[line.target] = target
        return target

    def location(self, value: bytes, origins: Sequence[bytes]) -> bytes:
        """A redirect that a member gives, as the client has to see it: one to the members themselves (`origins`, as
        `http://host:port` in lower case) leads to the mount; any other stays as it is."""
        for origin in origins:
            if value[: len(origin)].lower() != origin:
                continue
            rest = value[len(origin) :]
            if not rest.startswith(self._prefix):
                continue
            rest = rest[len(self._prefix) :]
            if not rest or rest[:1] in b"/?#":
                path = self._mount + rest
                return path if path[:1] == b"/" else b"/" + path
        return value

    def _path(self, path: bytes) -> bytes:
        if path == b"*":
            return path
        rest = self._rest(path) if self._length else path
        _check(rest)
        if self._is_same:
            return path
        return self._prefix + rest if rest else self._to or b"/"

    def _rest(self, path: bytes) -> bytes:
        """What stands behind the mount point, which may be written with escapes; with a slash in front, or empty."""
        at = 0
        if b"%" in path:
            for _ in range(self._length):
                at += 3 if _ESCAPE(path, at) else 1
        else:
            at = self._length
        rest = path[at:]
        return b"/" + rest[3:] if _ENCODED_SLASH(rest) else rest


def _check(path: bytes) -> None:
    """Raises ProtocolError 400 if any server could take `path` for one above its beginning."""
    plain = _DOT.sub(b".", path) if b"%" in path else path
    if b".." not in plain:
        return
    is_up = [_is_up(segment) for segment in _ANY_SEPARATOR(plain)]
    if not any(is_up):
        return
    if _OTHER_SEPARATOR(plain):
        raise ProtocolError(400, "the path holds .. beside a separator that is not a plain slash")
    depth = 0
    for segment in plain.split(b"/"):
        if _is_up(segment):
            depth -= 1
        elif segment and segment != b".":
            # Some servers take // for /, so that an empty segment is no step down.
            depth += 1
        if depth < 0:
            raise ProtocolError(400, "the path leads out of where it begins")


def _readings(path: str) -> tuple[str, str]:
    """The path as servers may take it that make the most of `.` and `..`, empty segments, backslashes, and parameters
    behind a semicolon (RFC 3986 sections 3.3 and 5.2.4): `..` takes an empty segment away, or the one before that."""
    names = [segment.partition(";")[0] for segment in path.replace("\\", "/").split("/")]
    return _resolved(names), _resolved([name for name in names if name])


def _resolved(names: Sequence[str]) -> str:
    """With a slash at the end."""
    left: list[str] = []
    for name in names:
        if name == "..":
            del left[-1:]
        elif name != ".":
            left.append(name)
    return "/".join(("", *filter(None, left), ""))


def _is_up(segment: bytes) -> bool:
    """`..`, and what Java servers take for it: with parameters behind a semicolon (RFC 3986 section 3.3)."""
    return segment == b".." or segment.startswith(b"..;")
