"""Who a mail is from, who it is for, and through which server it goes: the first line of its file, in JSON.

Standard library's json alone; nothing here opens a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from skitaid.agents.smtpda.errors import MailError, MalformedMailError
from skitaid.protocols.hosts import uri_host

__all__ = ["Envelope", "Route", "Starttls", "parse_server"]

SMTP_PORT = 25
ENVELOPE_MAX_BYTES = 1 << 20
_SERVER = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f<>\ud800-\udfff]")
"""What would end an address in a MAIL or RCPT command, or the command; what no bytes stand for."""
_QUOTED = re.compile(r'"([^"\\\x00-\x1f\x7f-\x9f<>\ud800-\udfff]|\\[ -;=?-~])*"@[^"\x00-\x20\x7f-\x9f<>\ud800-\udfff]+')
"""A blank in quotes ends nothing (RFC 5321, section 4.1.2)."""
_LATEST_S = 2.0**36
"""In some 2,000 years. Times behind that can't be written as dates."""


class Starttls(Enum):
    """REQUIRED: verified TLS or nothing. OPPORTUNISTIC: when it is offered, and then without looking at the
    certificate. NEVER: in the clear. DEFAULT: NEVER to this machine, REQUIRED to any other."""

    DEFAULT = "default"
    REQUIRED = "yes"
    OPPORTUNISTIC = "opportunistic"
    NEVER = "no"


@dataclass(frozen=True, slots=True)
class Route:
    """A mail server and how to speak with it. `ssl`: TLS from the first byte."""

    host: str = "127.0.0.1"
    port: int = SMTP_PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl: bool = False
    starttls: Starttls = Starttls.DEFAULT

    def __str__(self) -> str:
        return f"{uri_host(self.host)}:{self.port}"

    @property
    def is_local(self) -> bool:
        """What goes there does not leave this machine."""
        return self.host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", self.host, re.ASCII))

    @property
    def security(self) -> Starttls:
        """`starttls`, DEFAULT resolved."""
        if self.starttls is not Starttls.DEFAULT:
            return self.starttls
        return Starttls.NEVER if self.is_local else Starttls.REQUIRED


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything about a mail but its text. `sender` "" is that of a bounce. Domains are ASCII (IDNA). `is_utf8`:
    addresses or header need SMTPUTF8 (RFC 6531). `route` None: the smart host of the conf."""

    id: str
    created_s: float
    sender: str
    recipients: tuple[str, ...]
    route: Route | None = None
    is_utf8: bool = False

    def to_line(self) -> bytes:
        fields = asdict(self)
        if self.route is not None:
            fields["route"]["starttls"] = self.route.starttls.value
        return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Envelope:
        """The envelope that `to_line` wrote. Believes nothing: any user of the machine may have written the line.
        Raises MalformedMailError when it is not one."""
        try:
            return _read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise MalformedMailError(f"its first line is not an envelope: {error!r}") from error


def parse_server(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `host`, `[v6]:port`. Raises MailError."""
    found = _SERVER.fullmatch(text.strip())
    port = int(found["port"] or SMTP_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise MailError(f"{text!r} is not a mail server: expected host:port")
    return found["v6"] or found["host"], port


def _read(found: Mapping[str, Any]) -> Envelope:
    recipients = tuple(_address(text) for text in found["recipients"])
    if not isinstance(found["recipients"], list) or not recipients or not all(recipients):
        raise ValueError("no recipient")
    route = found["route"]
    return Envelope(
        id=str(found["id"]),
        created_s=_time(found["created_s"]),
        sender=_address(found["sender"]),
        recipients=tuple(dict.fromkeys(recipients)),
        route=None if route is None else _route(route),
        is_utf8=found["is_utf8"] is True,
    )


def _route(found: Mapping[str, Any]) -> Route:
    route = Route(**{**found, "starttls": Starttls(found["starttls"])})
    if not isinstance(route.host, str) or _SERVER.fullmatch(str(route)) is None:
        raise ValueError("no server")
    if type(route.port) is not int or not 0 < route.port < 65536 or type(route.ssl) is not bool:
        raise ValueError("no port, or no way to connect to it")
    for text in (route.user, route.password):
        if text is not None:
            text.encode()
    return route


def _time(given: object) -> float:
    if not isinstance(given, int | float) or not 0 <= (at := float(given)) < _LATEST_S:
        raise ValueError(f"{given!r} is not a time")
    return at


def _address(text: object) -> str:
    if not isinstance(text, str) or len(text) > 320 or (_UNSAFE.search(text) and not _QUOTED.fullmatch(text)):
        raise ValueError(f"{text!r} is not an address")
    return text
