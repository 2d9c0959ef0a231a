"""The API gateway: who may ask the servers behind mounted aliases. In front of the proxies of an instance; its own apps
and files are open as ever.

A member hears who asks by two fields, which clients can't write themselves: proxies keep them back, with and without a
gateway (handlers.proxy.fields).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.gateway.request import GatewayRequest, HeldBody, Identity, RefusalLog, client_of
from skitaid.handlers.gateway.tokens import Claims, TokenError, TokenVerifier, bearer_token, is_jwt, names_of
from skitaid.handlers.router import Route, RouteHandler
from skitaid.handlers.status import error_page

__all__ = ["Access", "ClaimHandler", "Gated", "Gateway", "GatewaySettings"]

ClaimHandler = Callable[["Gateway", GatewayRequest], Any]

_PLAIN: Final = "!#$&'()*+/:;=?@[]^`{|}~ ._-"
"""What stands in a user's name as it is; a comma divides roles, a percent sign begins an escape."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a gateway asks for. `authenticate`: whoever asks a mounted alias needs a token; else only where an alias has
    roles."""

    authenticate: bool = False
    realm: str = "API Gateway"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask an alias: with one of `roles`, if there are any; from one of the networks `source`, if there are."""

    alias: str
    roles: tuple[str, ...] = ()
    source: TrustedPeers | None = None


class _Refusal(NamedTuple):
    """`text` is for the client, `why` for the log. `challenge`: what it says beside the realm (RFC 6750 section 3);
    None: a token would not help. `user`: whom the token names, if it is believed."""

    code: int
    text: str
    why: str
    challenge: str | None = None
    user: str | None = None


_SOURCE: Final = _Refusal(403, "This address may not be asked from where you are.", "its source")
_MISSING: Final = _Refusal(401, "There is no token.", "no token", "")


class Gateway:
    """One for a worker. Apps know it as `wac.handler`, and a claim handler as its first argument. `write` is told a
    line for each request that is refused, `on_failure` what a claim handler raised; `verifier` None: no JWT is
    believed."""

    def __init__(
        self,
        engine: Engine,
        settings: GatewaySettings,
        verifier: TokenVerifier | None,
        *,
        write: Callable[[str], None],
        on_failure: Callable[[Stream, BaseException], None],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._verifier = verifier
        self._log = RefusalLog(write)
        self._on_failure = on_failure
        self._handler: ClaimHandler | None = None
        realm = settings.realm.encode("ascii", "replace").decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
        self._challenge = f'Bearer realm="{realm}"'

    # ------------------------------------------------------------ for apps

    def set_auth_handler(self, handler: ClaimHandler | None) -> None:
        """Have `handler(gateway, request)` decide who asks, for each request with a token: a JWT that is believed,
        whose claims are `request.claim`, or an opaque one. It calls `continue_request`, at once or later, from any
        thread; it is called in an app thread, where there are any. None: tokens speak for themselves."""
        self._handler = handler

    def continue_request(
        self, request: GatewayRequest, user: str | None = None, roles: Iterable[str] | str | None = None
    ) -> None:
        """Say who asks: `user`, with these roles. Without either nobody is known, and the request is refused. The
        first call for a request counts."""
        if request.is_decided:
            return
        request.is_decided = True
        names = names_of(roles if isinstance(roles, str) or roles is None else list(roles))
        identity = Identity(None if user is None else str(user), names) if user or names else None
        request.stream.call_soon(partial(self._decided, request, identity))

    # ------------------------------------------------------------ requests

    def serve(self, stream: Stream, route: Route, gated: Gated) -> None:
        """Let a request go on to `gated.inner`, or refuse it."""
        access = gated.access
        if access.source is not None and not access.source.holds(client_of(stream)):
            self._refuse(stream, _SOURCE)
            return
        if not self._settings.authenticate and not access.roles:
            gated.pass_on(stream, route, None)
            return
        try:
            self._authenticate(stream, route, gated)
        except TokenError as error:
            self._refuse_token(stream, str(error))

    def _authenticate(self, stream: Stream, route: Route, gated: Gated) -> None:
        """Raises TokenError."""
        token = bearer_token(stream.head.fields.get(b"authorization"))
        if token is None:
            self._refuse(stream, _MISSING)
            return
        claims: Claims = {}
        if self._verifier is not None and is_jwt(token):
            claims = self._verifier.claims(token)
            if self._handler is None:
                self._admit(stream, route, gated, _identity_of(claims))
                return
        if self._handler is None:
            raise TokenError("the token is not known here")
        self._ask(GatewayRequest(stream, route, token.decode("ascii"), claims))

    def _admit(self, stream: Stream, route: Route, gated: Gated, identity: Identity) -> None:
        access = gated.access
        if access.roles and not set(access.roles).intersection(identity.roles):
            text, why = "Your token does not let you ask here.", f"@{access.alias} is for {', '.join(access.roles)}"
            self._refuse(stream, _Refusal(403, text, why, ', error="insufficient_scope"', identity.user))
            return
        gated.pass_on(stream, route, identity)

    # ------------------------------------------------------------ the claim handler

    def _ask(self, request: GatewayRequest) -> None:
        stream = request.stream
        if stream.head.content_length != 0:
            HeldBody(stream)
        stream.job = partial(self._call_handler, request)
        self._engine.submit(stream)

    def _call_handler(self, request: GatewayRequest, stream: Stream) -> None:
        """In an app thread, or on the loop where there are none."""
        handler = self._handler
        try:
            if handler is not None:
                handler(self, request)
            else:
                self.continue_request(request)
        except Exception as error:  # noqa: BLE001  # a root: what an app's handler does wrong is told in the app's log
            self._on_failure(stream, error)
            if not request.is_decided:
                request.is_decided = True
                stream.call_soon(partial(self._failed, request))

    def _failed(self, request: GatewayRequest) -> None:
        stream = request.stream
        if self._is_back(stream):
            stream.body = stream.note = None
            self._engine.respond_error(stream, 500, "Who asks could not be found out.")

    def _decided(self, request: GatewayRequest, identity: Identity | None) -> None:
        """On the loop again."""
        stream = request.stream
        if not self._is_back(stream):
            return
        held, stream.body, stream.note = stream.body, None, None
        if identity is None:
            self._refuse_token(stream, "the token is not known here")
            return
        try:
            gated = request.route.handler
            assert isinstance(gated, Gated)
            self._admit(stream, request.route, gated, identity)
            if isinstance(held, HeldBody):
                held.release()
        except Exception as error:  # noqa: BLE001  # a root, as this is no longer the engine's: one request fails alone
            self._on_failure(stream, error)
            stream.abort()

    @staticmethod
    def _is_back(stream: Stream) -> bool:
        """Take the stream back from the thread that had it; False when its client has gone."""
        stream.is_on_loop = True
        if stream.is_current and stream.connection.is_broken:
            stream.abandon()
        return stream.is_current

    # ------------------------------------------------------------ refusing

    def _refuse_token(self, stream: Stream, reason: str) -> None:
        challenge = f', error="invalid_token", error_description="{reason}"'
        self._refuse(stream, _Refusal(401, f"{reason[0].upper()}{reason[1:]}.", reason, challenge))

    def _refuse(self, stream: Stream, refusal: _Refusal) -> None:
        self._log.note(stream, refusal.code, refusal.why, refusal.user)
        status, fields, body = error_page(stream, refusal.code, refusal.text)
        if refusal.challenge is not None:
            fields = [*fields, ("WWW-Authenticate", self._challenge + refusal.challenge)]
        stream.respond(status, fields, body)


class Gated:
    """A router.RouteHandler: a proxy behind the gateway."""

    def __init__(self, gateway: Gateway, inner: RouteHandler, access: Access) -> None:
        self._gateway = gateway
        self._inner = inner
        self.access = access

    def serve(self, stream: Stream, route: Route) -> bool:
        self._gateway.serve(stream, route, self)
        return True

    def pass_on(self, stream: Stream, route: Route, identity: Identity | None) -> None:
        """Let the request go on; its member is told who asks."""
        stream.note = None if identity is None else _lines(identity)
        self._inner.serve(stream, route)


def _identity_of(claims: Claims) -> Identity:
    """Whom a JWT names: by `user`, else by the names that others use for it."""
    given = [claims.get(name) for name in ("user", "username", "sub")]
    user = next((name for name in given if isinstance(name, str) and name), None)
    return Identity(user, names_of(claims.get("roles", claims.get("role"))))


def _lines(identity: Identity) -> bytes:
    """The field lines that tell a member who asks. Percent-encoded, so that no name can be two fields, or two roles."""
    user = "" if identity.user is None else quote(identity.user[:1000], safe=_PLAIN, errors="replace").strip()
    roles = ", ".join(quote(role[:200], safe=_PLAIN, errors="replace").strip() for role in identity.roles)
    lines = f"x-gateway-user: {user}\r\n" if user else ""
    return (f"{lines}x-gateway-roles: {roles}\r\n" if roles else lines).encode("ascii")
