"""Cross-origin requests (CORS, the Fetch standard section 3.2): which origins may read what an app answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from skitaid.atila.responses.reply import Fields

__all__ = ["Cors", "cors_of"]

_ANY = "*"


class Cors:
    """What browsers of other origins are told. `origins` such as `http://www.example.com:5001`, or `*`. `max_age_s`:
    how long a browser may remember what it was told before it asked. With cookies or a login an origin must be named:
    `*` is for what everybody may see."""

    __slots__ = ("_is_open", "_max_age_s", "_origins")

    def __init__(self, origins: Sequence[str], max_age_s: int | None) -> None:
        self._origins = frozenset(each.rstrip("/").lower() for each in origins)
        self._is_open = _ANY in self._origins
        self._max_age_s = max_age_s

    def fields(self, environ: dict[str, Any]) -> Fields:
        """For a response to any request."""
        if self._is_open:
            return [("Access-Control-Allow-Origin", _ANY)]
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not self._allows(origin):
            return [("Vary", "Origin")]
        return [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Vary", "Origin"),
        ]

    def preflight(self, environ: dict[str, Any], methods: Iterable[str]) -> Fields:
        """For the question that a browser asks before a request, besides `fields`."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or not (self._is_open or self._allows(origin)):
            return []
        found = [("Access-Control-Allow-Methods", ", ".join(methods))]
        asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
        if asked:
            found.append(("Access-Control-Allow-Headers", asked))
        if self._max_age_s is not None:
            found.append(("Access-Control-Max-Age", str(self._max_age_s)))
        return found

    def _allows(self, origin: str) -> bool:
        origin = origin.lower()
        # `127.0.0.1:5000`: any scheme.
        return origin in self._origins or origin.partition("://")[2] in self._origins


def cors_of(origins: Sequence[str] | str | None, max_age_s: Any) -> Cors | None:
    """None: nobody from elsewhere."""
    if not origins:
        return None
    return Cors([origins] if isinstance(origins, str) else list(origins), None if max_age_s is None else int(max_age_s))
