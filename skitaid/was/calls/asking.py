"""A request as an app means it (`Ask`), and the orders that it becomes: the first one, and those that follow from a
challenge (401) or a redirect. Pure but for the keychain of the worker.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from skitaid import __version__
from skitaid.upstream.call import IDEMPOTENT, Call
from skitaid.was.calls.order import MAX_REPLY_BYTES, Order, timeouts_for
from skitaid.was.messages.authorization import Credentials, Login
from skitaid.was.messages.content_codings import accepted
from skitaid.was.messages.digest import Protected
from skitaid.was.messages.errors import ReplyError
from skitaid.was.messages.fields import Fields, Headers, value_of, without
from skitaid.was.messages.keychain import Keychain
from skitaid.was.messages.reading import read_http
from skitaid.was.messages.redirects import MAX_REDIRECTS, REDIRECTS, next_method, next_target
from skitaid.was.messages.reply import Decoder, Reply
from skitaid.was.messages.streamed import StreamedBody
from skitaid.was.messages.target import Target

__all__ = ["Ask", "Terms", "order_of"]

_MAX_CHALLENGES: Final = 2  # a wrong scheme, or a nonce that is too old
_AGENT: Final = (b"user-agent", f"skitaid/{__version__}".encode("ascii"))
_keychain: Final = Keychain()


@dataclass(frozen=True, slots=True)
class Terms:
    """How a request is to be made. `use_cache` None: the app did not say. `keeps_method`: a redirect does not turn a
    POST into a GET; `follows` False: redirects are answers like others."""

    decode: Decoder = read_http
    use_cache: bool | float | None = None
    timeout_s: float | None = None
    max_bytes: int = MAX_REPLY_BYTES
    keeps_method: bool = False
    follows: bool = True


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as an app means it. `fields`: as the app gave them, and what its data made necessary. `key`: what
    stands for the body where it is told apart from others (an id in the body makes none of them like another); None:
    the body itself.

    `redirects` and `challenges`: so many came already.
    """

    method: str
    target: Target
    fields: Fields = ()
    body: bytes | StreamedBody = b""
    credentials: Credentials | None = None
    terms: Terms = Terms()
    key: Hashable | None = None
    redirects: int = 0
    challenges: int = 0


def order_of(ask: Ask) -> Order:
    """The order that carries `ask` out. Raises CallError for credentials that cannot be sent."""
    streamed = ask.body if isinstance(ask.body, StreamedBody) else None
    authorization = _keychain.authorize(ask.target.origin, ask.credentials, _protected(ask))
    call = Call(
        ask.method,
        ask.target.path.encode("ascii"),
        _fields(ask, authorization),
        value_of(ask.fields, b"host"),
        None if streamed is not None else ask.body,  # type: ignore[arg-type]
        None if streamed is None else streamed.content_length,
        is_idempotent=ask.method in IDEMPOTENT,
        timeouts=timeouts_for(ask.terms.timeout_s),
        # A time says that what was kept before is not wanted, of which the response cache knows nothing.
        past_cache=ask.terms.use_cache is not None and ask.terms.use_cache is not True,
    )
    terms = ask.terms
    return Order(
        ask.target,
        call,
        terms.decode,
        partial(_follow, ask, authorization),
        None if streamed is not None else _key(ask),
        terms.use_cache if terms.use_cache is not None else True,
        terms.use_cache is not None,
        terms.timeout_s,
        terms.max_bytes,
        streamed,
    )


def _fields(ask: Ask, authorization: bytes | None) -> list[tuple[bytes, bytes]]:
    """With what every call says, unless the app said otherwise."""
    fields = [pair for pair in ask.fields if pair[0] != b"host"]
    names = {name for name, _ in fields}
    if b"accept-encoding" not in names:
        fields.append((b"accept-encoding", accepted()))
    if b"user-agent" not in names:
        fields.append(_AGENT)
    if authorization is not None and b"authorization" not in names:
        fields.append((b"authorization", authorization))
    return fields


def _key(ask: Ask) -> Hashable:
    body = ask.body if ask.key is None else ask.key
    return ask.method, ask.target.origin, ask.target.path, ask.fields, ask.credentials, body


def _protected(ask: Ask) -> Protected:
    return Protected(ask.method, ask.target.path, ask.body if isinstance(ask.body, bytes) else None)


# ---------------------------------------------------------------- what follows from a reply


def _follow(ask: Ask, sent: bytes | None, reply: Reply) -> Order | None:
    """The next order, or None when the reply is the answer. Raises ReplyError for one that leads nowhere."""
    status = reply.status_code
    if status == 401:
        return _challenged(ask, sent, reply)
    if status in REDIRECTS and ask.terms.follows:
        return _redirected(ask, reply)
    return None


def _challenged(ask: Ask, sent: bytes | None, reply: Reply) -> Order | None:
    login = ask.credentials
    challenge = ", ".join(Headers(reply.fields).get_all("www-authenticate"))
    if not isinstance(login, Login) or not challenge or ask.challenges >= _MAX_CHALLENGES:
        return None
    has_body = isinstance(ask.body, bytes)
    if not _keychain.learn(ask.target.origin, login, challenge, sent=sent, has_body=has_body):
        return None
    return order_of(replace(ask, challenges=ask.challenges + 1))


def _redirected(ask: Ask, reply: Reply) -> Order | None:
    location = value_of(reply.fields, b"location")
    if location is None:
        return None
    if ask.redirects >= MAX_REDIRECTS:
        raise ReplyError(f"more than {MAX_REDIRECTS} redirects, the last to {location[:200].decode('latin-1')!a}")
    # RFC 3986 has ASCII alone there; what is above is UTF-8 in practice.
    target = next_target(ask.target, location.decode("utf-8", "replace"))
    method = next_method(ask.method, reply.status_code, keeps_method=ask.terms.keeps_method)
    following = replace(ask, method=method, target=target, redirects=ask.redirects + 1, challenges=0)
    if method != ask.method and method == "GET":
        kept = without(following.fields, b"content-type", b"content-encoding", b"content-language")
        following = replace(following, fields=kept, body=b"", key=None)
    if target.origin != ask.target.origin:
        # What was meant for one server is nobody else's business (RFC 9110 section 15.4).
        kept = without(following.fields, b"authorization", b"cookie", b"proxy-authorization", b"host")
        following = replace(following, fields=kept, credentials=None)
    return order_of(following)
