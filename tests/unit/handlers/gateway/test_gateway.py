"""The gateway in front of a proxy: who is let in, what the member is told, what is logged, and what apps may decide."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.gateway.gateway import Access, Gated, Gateway, GatewaySettings
from skitaid.handlers.gateway.request import GatewayRequest
from skitaid.handlers.gateway.tokens import MAX_TOKEN_BYTES, TokenSettings, TokenVerifier
from skitaid.handlers.proxy.reverse import ProxySettings, ReverseProxy
from skitaid.handlers.router import Route, RouteKind
from tests.unit.engine.rig import Client, Reply, request_bytes
from tests.unit.handlers.proxy.rig import Asked, ProxyRig

SECRET = b"8fa06210-e109-11e6-934f-001b216d6e71"
REALM = 'Bearer realm="API Gateway"'


def bearer(**claims: Any) -> str:
    return "Authorization: Bearer " + jwt.encode(claims, SECRET, "HS256")


@dataclass
class Guarded:
    """A rig whose proxies are behind a gateway. `lines`: the server's log."""

    rig: ProxyRig
    lines: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gateway = self.make()

    def make(self, *, has_key: bool = True, **settings: Any) -> Gateway:
        verifier = TokenVerifier(TokenSettings(SECRET)) if has_key else None
        given = GatewaySettings(**{"authenticate": True, **settings})
        return Gateway(self.rig.engine, given, verifier, write=self.lines.append, on_failure=self._note)

    def _note(self, stream: Stream, error: BaseException) -> None:
        self.failures.append(error)

    def mount(
        self,
        path: str = "",
        *,
        gateway: Gateway | None = None,
        roles: tuple[str, ...] = (),
        source: tuple[str, ...] = (),
    ) -> None:
        proxy = ReverseProxy(
            self.rig.engine, path, self.rig, ProxySettings(path or "/", "back"), write=self.rig.told.append
        )
        access = Access("back", roles, TrustedPeers(source) if source else None)
        self.rig.mount(Route(path, RouteKind.PROXY, Gated(gateway or self.gateway, proxy, access)))

    def refused(self, *fields: str, path: str = "/", method: str = "GET") -> Reply:
        reply = self.rig.client().get(path, *fields, method=method)
        assert not self.rig.asked, "a member was asked"
        return reply

    def admitted(self, *fields: str, path: str = "/", client: Client | None = None) -> Asked:
        (client or self.rig.client()).send(request_bytes(path, *fields))
        return self.rig.next_asked(len(self.rig.asked) + 1)


@pytest.fixture
def make_guarded() -> Iterator[Callable[..., Guarded]]:
    rigs: list[ProxyRig] = []

    def make(*, threads: int = 0, trusted: tuple[str, ...] = ()) -> Guarded:
        rig = ProxyRig(EngineSettings(threads, trusted=trusted))
        rigs.append(rig)
        return Guarded(rig)

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def guarded(make_guarded: Callable[..., Guarded]) -> Guarded:
    return make_guarded()


# ---------------------------------------------------------------- who is let in


def test_a_good_token_is_let_in_and_the_member_is_told_who(guarded: Guarded) -> None:
    guarded.mount()
    asked = guarded.admitted(bearer(user="Hans Roh", roles=["user", "staff"], exp=time.time() + 60))
    assert asked.fields["x-gateway-user"] == "Hans Roh"
    assert asked.fields["x-gateway-roles"] == "user, staff"
    assert asked.fields["authorization"].startswith("Bearer ")
    assert asked.fields["x-gtxn-id"].startswith("GTID-")
    assert asked.fields["x-ltxn-id"] == "2001"
    asked.respond(b"hello")
    assert guarded.lines == []


def test_without_a_token(guarded: Guarded) -> None:
    guarded.mount()
    for fields in ((), ("Authorization: Basic eDp5",)):
        reply = guarded.refused(*fields)
        assert (reply.code, reply.get("WWW-Authenticate")) == (401, REALM)
    assert len(guarded.lines) == 2
    assert guarded.lines[0].startswith("gateway: 401 for GET / of 192.0.2.7: no token (GTID-")


@pytest.mark.parametrize(
    ("field_", "reason"),
    [
        ("Authorization: Bearer a.b.c", "the token is not valid"),
        ("Authorization: Bearer " + jwt.encode({"user": "a"}, b"x" * 32, "HS256"), "the token is not valid"),
        ("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJ1c2VyIjoiYSJ9.", "the token is not valid"),
        ("Authorization: Bearer opaque", "the token is not known here"),
        ("Authorization: Bearer a, b", "this is not a token"),
        ("Authorization: Bearer " + "a" * (MAX_TOKEN_BYTES + 1), "the token is too long"),
        ("Authorization: Bearer " + "a" * 60_000, "the token is too long"),
        (bearer(user="a", exp=1), "the token has expired"),
        (bearer(user="a", expires=1), "the token has expired"),
        (bearer(user="a", nbf=time.time() + 10**6), "the token is not valid yet"),
    ],
)
def test_a_bad_token(guarded: Guarded, field_: str, reason: str) -> None:
    guarded.mount()
    reply = guarded.refused(field_, path="/a?token=secret")
    assert reply.code == 401
    assert reply.get("WWW-Authenticate") == f'{REALM}, error="invalid_token", error_description="{reason}"'
    (line,) = guarded.lines
    assert reason in line
    shown = field_.rpartition(" ")[2]
    assert len(shown) < 6 or shown not in line
    assert "secret" not in line


def test_two_tokens_are_none(guarded: Guarded) -> None:
    guarded.mount()
    good = bearer(user="a")
    assert guarded.refused(good, good).code == 401


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"roles": ["admin"]}, 0),
        ({"roles": ["user", "staff"]}, 0),
        ({"roles": "staff"}, 0),
        ({"role": "admin"}, 0),
        ({"roles": ["user"]}, 403),
        ({"roles": ["Admin"]}, 403),
        ({}, 403),
        ({"roles": {"admin": True}}, 403),
    ],
)
def test_roles_of_an_alias(guarded: Guarded, claims: dict[str, Any], code: int) -> None:
    guarded.mount(roles=("admin", "staff"))
    if not code:
        guarded.admitted(bearer(user="hans", **claims))
        return
    reply = guarded.refused(bearer(user="hans", **claims))
    assert (reply.code, reply.get("WWW-Authenticate")) == (403, f'{REALM}, error="insufficient_scope"')
    assert "403 for GET / of 192.0.2.7 (hans): @back is for admin, staff" in guarded.lines[0]


def test_source_of_an_alias(guarded: Guarded) -> None:
    guarded.mount("/here", source=("192.0.2.0/24",))
    guarded.mount("/there", source=("10.0.0.0/8",))
    reply = guarded.refused(bearer(user="a"), path="/there/a")
    assert (reply.code, reply.get("WWW-Authenticate")) == (403, None)
    assert "its source" in guarded.lines[0]
    guarded.admitted(bearer(user="a"), path="/here/a")


def test_source_is_the_client_that_a_trusted_proxy_names(make_guarded: Callable[..., Guarded]) -> None:
    guarded = make_guarded(trusted=("192.0.2.7",))
    guarded.mount(source=("10.0.0.0/8",))
    assert guarded.refused(bearer(user="a"), "X-Forwarded-For: 203.0.113.1").code == 403
    guarded.admitted(bearer(user="a"), "X-Forwarded-For: 10.1.2.3")


def test_without_authenticate_only_roles_need_a_token(guarded: Guarded) -> None:
    gateway = guarded.make(authenticate=False)
    guarded.mount("/open", gateway=gateway)
    guarded.mount("/closed", gateway=gateway, roles=("admin",))
    assert guarded.refused(path="/closed/a").code == 401
    assert guarded.refused(bearer(user="a"), path="/closed/a").code == 403
    asked = guarded.admitted("Authorization: Bearer rubbish", "X-Gateway-User: root", path="/open/a")
    assert "x-gateway-user" not in asked.fields


def test_apps_beside_it_are_open(guarded: Guarded) -> None:
    guarded.mount("/closed")
    guarded.rig.handler(lambda stream: stream.respond("200 OK", [], b"open"))
    assert guarded.refused(path="/").body == b"open"
    assert guarded.refused(path="/closed/a").code == 401


def test_a_realm_with_quotes(guarded: Guarded) -> None:
    guarded.mount(gateway=guarded.make(realm='The "best" \\ é'))
    assert guarded.refused().get("WWW-Authenticate") == 'Bearer realm="The \\"best\\" \\\\ ?"'


def test_a_gateway_without_a_key_believes_no_token(guarded: Guarded) -> None:
    guarded.mount(gateway=guarded.make(has_key=False))
    assert guarded.refused(bearer(user="a")).code == 401


# ---------------------------------------------------------------- what the member is told


def test_clients_can_not_say_who_they_are(guarded: Guarded) -> None:
    guarded.mount()
    made_up = ("X-Gateway-User: root", "x-gateway-roles: admin", "X_Gateway_User: root", "X-GATEWAY-ROLES: staff")
    asked = guarded.admitted(bearer(user="hans"), *made_up)
    told = [line for line in asked.lines if "gateway" in line]
    assert told == ["x-gateway-user: hans"]


def test_nor_by_a_proxy_without_a_gateway(guarded: Guarded) -> None:
    guarded.rig.proxy()
    asked = guarded.admitted("X-Gateway-User: root")
    assert not [line for line in asked.lines if "gateway" in line]


@pytest.mark.parametrize(
    ("user", "roles", "told_user", "told_roles"),
    [
        ("a\r\nx-admin: 1", ["b\r\nx: 1"], "a%0D%0Ax-admin: 1", "b%0D%0Ax: 1"),
        ("Jürgen", ["a,b", "c"], "J%C3%BCrgen", "a%2Cb, c"),
        ("a,b%", [], "a%2Cb%25", None),
        ("\ud800", ["\udfff"], "?", "?"),
        ("x" * 5000, ["r" * 900], "x" * 1000, "r" * 200),
        (None, ["a"], None, "a"),
        ({"name": "a"}, [], None, None),
        (True, [], None, None),
        ("", [" "], None, None),
    ],
)
def test_names_of_any_kind(
    guarded: Guarded, user: Any, roles: list[str], told_user: str | None, told_roles: str | None
) -> None:
    guarded.mount()
    fields = guarded.admitted(bearer(user=user, roles=roles)).fields
    assert (fields.get("x-gateway-user"), fields.get("x-gateway-roles")) == (told_user, told_roles)
    assert "x-admin" not in fields


@pytest.mark.parametrize(
    ("claims", "user"), [({"username": "b"}, "b"), ({"sub": "c"}, "c"), ({"user": "a", "sub": "c"}, "a")]
)
def test_other_names_for_a_user(guarded: Guarded, claims: dict[str, str], user: str) -> None:
    guarded.mount()
    assert guarded.admitted(bearer(**claims)).fields["x-gateway-user"] == user


def test_one_connection_several_people(guarded: Guarded) -> None:
    guarded.mount()
    client = guarded.rig.client()
    for user in ("a", "b", "a"):
        asked = guarded.admitted(bearer(user=user), client=client)
        assert asked.fields["x-gateway-user"] == user
        asked.respond(b"ok")
        assert client.reply().body == b"ok"
    assert client.get("/").code == 401


def test_a_flood_of_refusals_is_counted(guarded: Guarded) -> None:
    guarded.mount()
    client = guarded.rig.client()
    for _ in range(50):
        client.get("/")
    assert len(guarded.lines) == 20
    guarded.rig.clock.now += 1
    client.get("/")
    assert guarded.lines[20] == "gateway: 30 more were refused within a second"


# ---------------------------------------------------------------- a claim handler


@pytest.fixture(params=[0, 2], ids=["on the loop", "in threads"])
def asking(request: pytest.FixtureRequest, make_guarded: Callable[..., Guarded]) -> Guarded:
    guarded = make_guarded(threads=request.param)
    guarded.mount(roles=("admin",))
    return guarded


def documented(request_handler: Gateway, request: GatewayRequest) -> None:
    """As the documents have it."""
    claim = request.claim
    expires = claim.get("expires", 0)
    if expires and expires < time.time():
        return request_handler.continue_request(request)
    return request_handler.continue_request(request, claim.get("user"), claim.get("roles"))


def test_the_handler_of_the_documents(asking: Guarded) -> None:
    asking.gateway.set_auth_handler(documented)
    asked = asking.admitted(bearer(user="hans", roles=["admin"]))
    assert asked.fields["x-gateway-user"] == "hans"
    assert asking.rig.client().get("/", bearer(user="hans", roles=["user"])).code == 403
    assert asking.rig.client().get("/", bearer()).code == 401
    assert asking.rig.client().get("/", bearer(user="hans", roles=["admin"], expires=1)).code == 401
    assert asking.rig.client().get("/").code == 401
    assert asking.failures == []


def test_opaque_tokens_are_the_handlers(asking: Guarded) -> None:
    seen: list[GatewayRequest] = []

    def handle(gateway: Gateway, request: GatewayRequest) -> None:
        seen.append(request)
        user = {"t-1": "hans"}.get(request.token)
        gateway.continue_request(request, user, "admin, staff" if user else None)

    asking.gateway.set_auth_handler(handle)
    asked = asking.admitted("Authorization: Bearer t-1", "X-Mode: a", path="/a?b")
    assert asked.fields["x-gateway-roles"] == "admin, staff"
    request = seen[0]
    assert (request.method, request.uri, request.path, request.query) == ("GET", "/a?b", "/a", "b")
    assert (request.remote_addr, request.claim, request.token) == ("192.0.2.7", {}, "t-1")
    assert (request.get_header("x-mode"), request.get_header("X-None", "-")) == ("a", "-")
    reply = asking.rig.client().get("/", "Authorization: Bearer t-2")
    assert (reply.code, 'error="invalid_token"' in str(reply.get("WWW-Authenticate"))) == (401, True)


def test_a_badly_signed_token_never_gets_to_the_handler(asking: Guarded) -> None:
    asking.gateway.set_auth_handler(lambda gateway, request: gateway.continue_request(request, "root", ["admin"]))
    bad = "Authorization: Bearer " + jwt.encode({"user": "a"}, b"x" * 32, "HS256")
    assert asking.refused(bad).code == 401


def test_a_handler_that_fails_is_500_and_told(asking: Guarded) -> None:
    def handle(gateway: Gateway, request: GatewayRequest) -> None:
        raise LookupError("no such table")

    asking.gateway.set_auth_handler(handle)
    client = asking.rig.client()
    for _ in range(2):
        assert client.ask(request_bytes("/", bearer(user="a"))).code == 500
    assert [str(error) for error in asking.failures] == ["no such table"] * 2
    assert not asking.rig.asked


def test_a_handler_that_fails_after_it_decided(asking: Guarded) -> None:
    def handle(gateway: Gateway, request: GatewayRequest) -> None:
        gateway.continue_request(request, "hans", ["admin"])
        gateway.continue_request(request)
        raise LookupError("too late")

    asking.gateway.set_auth_handler(handle)
    client = asking.rig.client()
    asking.admitted("Authorization: Bearer t", client=client).respond(b"ok")
    assert client.reply().body == b"ok"
    asking.rig.until(lambda: asking.failures)


def test_a_handler_may_decide_later_from_anywhere(asking: Guarded) -> None:
    waiting: list[GatewayRequest] = []
    asking.gateway.set_auth_handler(lambda _, request: waiting.append(request))
    client = asking.rig.client()
    client.send(request_bytes("/", "Authorization: Bearer t"))
    asking.rig.until(lambda: waiting)
    thread = threading.Thread(target=asking.gateway.continue_request, args=(waiting[0], "hans", ["admin"]))
    thread.start()
    asked = asking.rig.next_asked(1)
    thread.join()
    asked.respond(b"ok")
    assert client.reply().body == b"ok"


def test_a_client_that_left_meanwhile(asking: Guarded) -> None:
    waiting: list[GatewayRequest] = []
    asking.gateway.set_auth_handler(lambda _, request: waiting.append(request))
    client = asking.rig.client()
    client.send(request_bytes("/", "Authorization: Bearer t"))
    asking.rig.until(lambda: waiting)
    client.close()
    asking.rig.until(lambda: client.connection.is_broken or client.connection.input_ended)
    asking.gateway.continue_request(waiting[0], "hans", ["admin"])
    if client.connection.is_broken:
        asking.rig.until(lambda: client.is_closed)
        assert not asking.rig.asked


@pytest.mark.parametrize("length", [1, 1000, 70_000, 3_000_000])
def test_a_body_waits_for_the_decision(asking: Guarded, length: int) -> None:
    asking.gateway.set_auth_handler(documented)
    body = bytes(range(256)) * (length // 256) + bytes(length % 256)
    client = asking.rig.client()
    client.send(request_bytes("/", bearer(user="hans", roles=["admin"]), method="POST", body=body))
    asked = asking.rig.next_asked(1)
    asking.rig.until(lambda: asked.call.body == body or b"".join(asked.sent) == body, "the body")
    asked.respond(b"ok")
    assert client.reply().body == b"ok"
    # and the next request of the same client
    client.send(request_bytes("/", bearer(user="hans", roles=["admin"])))
    asking.rig.next_asked(2).respond(b"again")
    assert client.reply().body == b"again"


def test_a_body_that_comes_slowly_and_in_chunks(asking: Guarded) -> None:
    asking.gateway.set_auth_handler(documented)
    client = asking.rig.client()
    fields = ("Transfer-Encoding: chunked", bearer(user="hans", roles=["admin"]))
    client.send(request_bytes("/", *fields, method="POST") + b"3\r\none\r\n")
    asking.rig.turn(3)
    client.send(b"3\r\ntwo\r\n0\r\n\r\n")
    asked = asking.rig.next_asked(1)
    asking.rig.until(lambda: (asked.call.body or b"".join(asked.sent)) == b"onetwo")
    asked.respond(b"ok")
    assert client.reply("POST").body == b"ok"


def test_a_body_that_is_asked_for(asking: Guarded) -> None:
    asking.gateway.set_auth_handler(documented)
    client = asking.rig.client()
    fields = ("Expect: 100-continue", "Content-Length: 3", bearer(user="hans", roles=["admin"]))
    client.send(request_bytes("/", *fields, method="POST"))
    asking.rig.until(lambda: (client.take(), b"100 Continue" in client.received)[1])
    client.received = b""
    client.send(b"one")
    asked = asking.rig.next_asked(1)
    assert asked.call.body == b"one"
    asked.respond(b"ok")
    assert client.reply("POST").body == b"ok"


@pytest.mark.parametrize("length", [1000, 200_000])
def test_a_body_of_a_request_that_is_refused(asking: Guarded, length: int) -> None:
    asking.gateway.set_auth_handler(documented)
    client = asking.rig.client()
    client.send(request_bytes("/", bearer(user="hans", roles=["user"]), method="POST", body=bytes(length)))
    assert client.reply("POST").code == 403
    if length == 1000:
        assert client.get("/", bearer()).code == 401


def test_no_handler_any_more(asking: Guarded) -> None:
    asking.gateway.set_auth_handler(documented)
    asking.gateway.set_auth_handler(None)
    assert asking.refused("Authorization: Bearer t").code == 401
    asking.admitted(bearer(user="hans", roles=["admin"]))
