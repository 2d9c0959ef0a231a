"""Kinds of values that single keys have: log patterns, roles, file names, the smart host, the state backend, and how an
alias balances.
"""

from __future__ import annotations

import re

from skitaid.config.addresses import is_host, parse_port, split_port
from skitaid.config.fields import TRUTHS, Kind, Place, scalar, show_truth
from skitaid.config.model import Balance
from skitaid.config.report import UnfitError, did_you_mean
from skitaid.protocols.hosts import uri_host

__all__ = [
    "KEY_ALGORITHMS",
    "SECRET_ALGORITHMS",
    "algorithm",
    "balance",
    "file_name",
    "host_policy",
    "log_pattern",
    "mail_domain",
    "proxy_user",
    "request_path",
    "role",
    "smtp_server",
    "starttls",
    "state_backend",
    "try_path",
]

BALANCE_METHODS = ("round-robin", "least-connections", "hash header NAME", "hash cookie NAME")
HOST_POLICIES = ("auto", "pass", "member")
SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
KEY_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""How tokens are signed (RFC 7518 section 3.1, RFC 8037): with a secret that both know, or with a pair of keys. `none`
is not among them, and never will be."""


def log_pattern(item: str, _place: Place) -> str:
    """`/static/` for all paths that start so, `*.css` for all that end so. Raises UnfitError, as those below do."""
    if not item.startswith(("/", "*")) or "*" in item[1:]:
        raise UnfitError(f"{item!r} is not a pattern")
    return item


def role(item: str, _place: Place) -> str:
    """The name of a role, as a token has it."""
    if not re.fullmatch(r"[\w.:@-]+", item):
        raise UnfitError(f"{item!r} is not a role", "use letters, digits, _ and -")
    return item


def algorithm(item: str, _place: Place) -> str:
    """How a token is signed: a name of RFC 7518, in any case, to its spelling there."""
    known = {name.lower(): name for name in (*SECRET_ALGORITHMS, *KEY_ALGORITHMS)}
    found = known.get(item.lower())
    if found is None:
        raise UnfitError(f"{item!r} is not an algorithm for tokens", did_you_mean(item, known.values()))
    return found


def proxy_user(item: str, _place: Place) -> tuple[str, str]:
    """`name:password` (RFC 7617: the name has no colon)."""
    name, colon, password = item.partition(":")
    if not (name and colon and password):
        raise UnfitError(f"{name!r} has no password" if name else "a user has no name", "write name:password")
    return name, password


def file_name(item: str, _place: Place) -> str:
    """A name without a folder."""
    if "/" in item or item in (".", ".."):
        raise UnfitError(f"{item!r} is not a file name", "write the name without a folder")
    return item


def try_path(text: str) -> str:
    """A path below the mount."""
    if ".." in text.split("/"):
        raise UnfitError(f"{text!r} leaves the mount", "write it without ..")
    return text


def smtp_server() -> Kind:
    """`host:port` of the mail server; the port is 25 when not said."""
    return scalar("host:port of a mail server", _parse_smtp_server)


def _parse_smtp_server(text: str) -> str:
    host, port = split_port(text)
    if not is_host(host):
        raise UnfitError
    return f"{uri_host(host)}:{25 if port is None else parse_port(port, 1)}"


def mail_domain() -> Kind:
    """A name in the DNS, or what stands for one (a DKIM selector)."""
    return scalar("a name such as mail.example.com", _parse_mail_domain)


def _parse_mail_domain(word: str) -> str:
    if not is_host(word) or ":" in word:
        raise UnfitError
    return word.lower()


def starttls() -> Kind:
    """`yes`, `no` (and what else means them) or `opportunistic`."""
    return scalar("yes, no or opportunistic", _parse_starttls)


def _parse_starttls(word: str) -> str:
    if word.lower() == "opportunistic":
        return word.lower()
    found = TRUTHS.get(word.lower())
    if found is None:
        raise UnfitError(fix=did_you_mean(word, ("yes", "no", "opportunistic")))
    return show_truth(found)


def state_backend() -> Kind:
    return scalar("local or redis://host:port/number", _parse_backend)


def _parse_backend(text: str) -> str:
    if text == "local" or re.fullmatch(r"rediss?://[^\s/]+(/[0-9]*)?", text):
        return text
    raise UnfitError


def balance() -> Kind:
    """`round-robin`, `least-connections`, `hash header NAME`, `hash cookie NAME`."""
    return scalar(" or ".join((", ".join(BALANCE_METHODS[:-1]), BALANCE_METHODS[-1])), _parse_balance, _show_balance)


def _parse_balance(text: str) -> Balance:
    words = text.split()
    method = words[0].lower()
    if method in BALANCE_METHODS and len(words) == 1:
        return Balance(method)
    if method != "hash":
        raise UnfitError(fix=did_you_mean(text, BALANCE_METHODS))
    if len(words) != 3 or words[1].lower() not in ("header", "cookie"):
        raise UnfitError(fix="write what is hashed: hash header NAME or hash cookie NAME")
    if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", words[2], re.ASCII):
        raise UnfitError(f"{words[2]!r} is not the name of a header field or a cookie")
    if words[1].lower() == "cookie":
        return Balance("hash", cookie=words[2])
    return Balance("hash", header=words[2].lower())  # fields mean the same in any case, cookies do not


def _show_balance(found: Balance) -> str:
    if found.method != "hash":
        return found.method
    return f"hash header {found.header}" if found.header is not None else f"hash cookie {found.cookie}"


def host_policy() -> Kind:
    """`auto`, `pass`, `member` or a host name."""
    return scalar("auto, pass, member or a host name", _parse_host_policy)


def _parse_host_policy(text: str) -> str:
    word = text.lower()
    if word in HOST_POLICIES:
        return word
    if "/" in text:
        raise UnfitError(fix="write the name without http:// and path")
    host, port = split_port(text)
    if not is_host(host):
        raise UnfitError
    if port is not None:
        parse_port(port, 1)
    return word


def request_path() -> Kind:
    """What a request asks for: a path, perhaps with a query."""
    return scalar("a path such as /health", _parse_request_path)


def _parse_request_path(text: str) -> str:
    if not re.fullmatch(r"/[!-~]*", text):
        raise UnfitError(fix="start it with / and percent-encode what is not ASCII")
    if "#" in text:
        raise UnfitError(fix="leave out # and what follows, it is never sent")
    return text
