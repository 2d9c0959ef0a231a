"""Mail addresses as people write them → name, local part, domain. Pure; for whoever composes a mail."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from skitaid.agents.smtpda.errors import MailError

__all__ = ["Mailbox", "Mailboxes", "parse_mailboxes"]

Mailboxes = "str | tuple[str, str] | Iterable[str | tuple[str, str]]"
"""`a@x`, `Name <a@x>`, `a@x, b@x`, (name, address), or a list of such."""
LOCAL_MAX = 64
DOMAIN_MAX = 255
_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_QUOTED = re.compile(r'"([^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_ENTRY = re.compile(
    r"""\s*+ (?: (?: "((?:[^"\\]|\\.)*+)" | ((?:[^\s"<>,@]++\s*+)*+) ) \s*+ <([^<>]*+)>
            | ( (?:"(?:[^"\\]|\\.)*+")?+ [^\s<>,"]++ ) ) \s*+ (?:,|$)""",
    re.VERBOSE,
)
"""`"Name" <address>`, `Name <address>`, `<address>` or `address`. Nothing is tried twice, however long the text."""
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_OTHER_BY_AGE = re.compile(r"[ßẞς\u200c\u200d]")
"""What IDNA 2003 turns into other letters, and IDNA 2008 keeps (RFC 5894, section 7.2): another domain, and perhaps
somebody else's."""
_LITERAL = re.compile(r"\[(\d{1,3}(\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]+)\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, taken apart (RFC 5322, section 3.4). `domain` is ASCII (IDNA); `local` may be international, which
    needs SMTPUTF8 (RFC 6531)."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_mailboxes(given: object) -> tuple[Mailbox, ...]:
    """Every address of `given` (see `Mailboxes`), in order. Raises MailError."""
    if isinstance(given, str):
        return tuple(_mailbox(name, address) for name, address in _split(given))
    if (
        isinstance(given, tuple)
        and len(given) == 2
        and all(isinstance(part, str) for part in given)
        and "@" not in given[0]
        and "@" in given[1]
    ):
        return (_mailbox(given[0], given[1]),)
    if isinstance(given, Iterable) and not isinstance(given, bytes):
        return tuple(found for each in given for found in parse_mailboxes(each))
    raise MailError(f"{given!r} is not an address: expected text, (name, address) or a list of them")


def _split(text: str) -> list[tuple[str, str]]:
    """Names and addresses, with commas between them. What email.utils makes of a malformed list differs from one Python
    to the next, and has been somebody else's address; here it is an error."""
    must_print(text, "an address")
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        entry = _ENTRY.match(text, position)
        if entry is None:
            raise MailError(f"{text!r} is not an address or list of them; a name with a comma stands in quotes")
        quoted, plain, address, bare = entry.groups()
        name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
        found.append((name, address if address is not None else bare))
        position = entry.end()
    return found


def must_print(text: str, what: str) -> str:
    """`text` without the control characters by which a header would be forged. Raises MailError."""
    if any((ord(c) < 32 and c != "\t") or c in "\x7f\x85\u2028\u2029" for c in text):
        raise MailError(f"{what} holds a control character, such as a line end, that would forge a header: {text!r}")
    return text


def _mailbox(name: str, address: str) -> Mailbox:
    must_print(name, "a name")
    must_print(address, "an address")
    local, at, domain = address.strip().rpartition("@")
    if not at or not (_LOCAL.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise MailError(f"{address!r} is not an address: expected somebody@example.com")
    if len(local.encode()) > LOCAL_MAX:
        raise MailError(f"{address!r} is not an address: more than {LOCAL_MAX} octets before the @")
    return Mailbox(name.strip(), local, _domain(domain, address))


def _domain(domain: str, address: str) -> str:
    if _LITERAL.fullmatch(domain):
        return domain
    if _OTHER_BY_AGE.search(domain):
        raise MailError(
            f"{address!r}: which domain {domain!r} is depends on the age of the standard; expected its "
            "form that begins with xn--"
        )
    try:
        found = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise MailError(f"{address!r}: {domain!r} is not a domain: {error}") from error
    if len(found) > DOMAIN_MAX or not all(_LABEL.fullmatch(label) for label in found.split(".")):
        raise MailError(f"{address!r}: {domain!r} is not a domain")
    return found
