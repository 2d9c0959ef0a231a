"""Credentials of a call, as an app gives them, and what a server's challenge makes of them. Pure.

A user and password are sent in clear text (Basic) only over TLS. Over plain HTTP the server is asked first what it
wants: if that is Digest, the password never leaves.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from skitaid.was.messages.errors import CallError

__all__ = ["Challenge", "Credentials", "Given", "Login", "Verbatim", "basic", "parse_challenges", "read_auth"]

# RFC 9110 section 11.2: an auth-param, or the token68 of schemes such as Negotiate.
_SCHEME: Final = re.compile(r"[ \t,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+|$)")
_PARAMETER: Final = re.compile(
    r'[ \t,]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^\s",=]+))[ \t]*(?=,|$)'
)
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_MAX_CHALLENGE: Final = 8192

Given = tuple[str, str] | list[str] | str | None
"""`(user, password)`, a whole Authorization value such as `Bearer TOKEN`, or a bare token."""


@dataclass(frozen=True, slots=True)
class Login:
    """For Basic or Digest, whichever the server asks for."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A whole Authorization value, sent as it is."""

    value: bytes = field(repr=False)


Credentials = Login | Verbatim


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of a WWW-Authenticate field: `scheme` and names of `parameters` in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def read_auth(given: Given) -> Credentials | None:
    """What an app gives as `auth`; None for nothing. Raises CallError."""
    if given is None or given == "":
        return None
    if isinstance(given, str):
        return _verbatim(given if " " in given else f"Bearer {given}")
    if len(given) != 2 or not all(isinstance(part, str) for part in given):
        raise CallError("auth: expected (user, password), a token, or a whole value such as 'Bearer TOKEN'")
    return Login(given[0], given[1])


def _verbatim(text: str) -> Verbatim:
    try:
        value = text.encode("ascii")
    except UnicodeEncodeError:
        value = b"\n"
    if re.search(rb"[\x00-\x1f\x7f]", value):
        raise CallError("auth: a token has letters, digits and punctuation of ASCII alone")
    return Verbatim(value)


def basic(login: Login) -> bytes:
    """RFC 7617. Raises CallError for a user with a colon, which ends the name there."""
    if ":" in login.user:
        raise CallError(f"auth: the user {login.user!r} has a colon, which Basic authorization cannot carry")
    return b"Basic " + base64.b64encode(f"{login.user}:{login.password}".encode("utf-8", "surrogateescape"))


def parse_challenges(text: str) -> list[Challenge]:
    """The challenges of a WWW-Authenticate field, several joined with commas (RFC 9110 section 11.6.1). What cannot be
    read ends the list."""
    found: list[Challenge] = []
    position = 0
    text = text[:_MAX_CHALLENGE]
    while match := _SCHEME.match(text, position):
        parameters, position = _parameters(text, match.end())
        found.append(Challenge(match[1].lower(), parameters))
    return found


def _parameters(text: str, position: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(text, position):
        name, quoted, plain = match.groups()
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if plain is None else plain)
        position = match.end()
    if not parameters and (token := _TOKEN68.match(text, position)):
        position = token.end()
    return parameters, position
