"""What an app says about who may ask what of it: part of skitaid.atila.app.Atila."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from skitaid.atila.dispatch.marks import Guard, marks_of

__all__ = ["Protecting"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Protecting:
    """Users, login, permissions, tokens: attributes and decorators of an app.

    `securekey` signs sessions and tokens; several, the newest first, while one takes the place of another.
    `session_timeout`: seconds; None: until the browser is closed. `authenticate`: what every route demands (basic,
    digest, bearer; True: `authorization`). `users`: an object whose get(name) gives a password, or (password, whether
    it is encrypted, what is known of the user).
    """

    def __init__(self) -> None:
        self.securekey: str | Sequence[str] | None = None
        self.session_timeout: float | None = None
        self.authorization = "digest"
        self.authenticate: str | bool = False
        self.realm: str | None = None
        self.users: Any = {}
        self.user: str | None = None
        self.password: str | None = None
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.named_keys: dict[tuple[str, str | None], tuple[str, ...]] = {}

    # ---------------------------------------------------------------- authentication

    @property
    def demanded(self) -> str | bool:
        """What every route demands: `authenticate`. An app of the documents before 0.15.21, which has one `user` and no
        `authenticate`, means all of its routes."""
        return self.authenticate or bool(self.user and self.password)

    def authentication_guard(self, demanded: str | bool | None) -> Guard:
        """What a route asks first. `demanded`: as route(authenticate=...) has it; None: what the app demands."""

        def guard(was: Any) -> Any:
            from skitaid.atila.security.authentication import authenticate, settle_scheme

            scheme = settle_scheme(self, demanded)
            return None if scheme is None else authenticate(was, scheme)

        return guard

    def authorization_required(self, authenticate: str | bool = True) -> Callable[[Decorated], Decorated]:
        """`@app.authorization_required("digest")`: only requests that show who they are from pass."""
        return _marking("authentication", self.authentication_guard(authenticate))

    def authorization_handler(self, function: Decorated) -> Decorated:
        """`function(was, username)` gives what app.users.get(username) would."""
        return self._register("authorization", function)

    def bearer_handler(self, function: Decorated) -> Decorated:
        """`function(was, token)` gives None for a token that is believed, else a text that says why not."""
        return self._register("bearer", function)

    # ---------------------------------------------------------------- permission

    def login_handler(self, function: Decorated) -> Decorated:
        """`function(was)` gives None if somebody is logged in, else a response, such as the page to log in."""
        return self._register("login", function)

    def permission_check_handler(self, function: Decorated) -> Decorated:
        """`function(was, permissions)` gives None if the user has one of them, else a response."""
        return self._register("permission", function)

    permission_handler = permission_check_handler

    def staff_member_check_handler(self, function: Decorated) -> Decorated:
        """`function(was)` gives None for the staff, else a response."""
        return self._register("staff_member", function)

    def login_required(self, function: Decorated) -> Decorated:
        """Only users who are logged in pass: the login handler says."""

        def guard(was: Any) -> Any:
            from skitaid.atila.security.permission import ask

            return ask(was, "login")

        marks_of(function).authentication.append(guard)
        return function

    def staff_member_required(self, function: Decorated) -> Decorated:
        """Only staff members pass: their check handler says."""

        def guard(was: Any) -> Any:
            from skitaid.atila.security.permission import ask

            return ask(was, "staff_member")

        marks_of(function).permission.append(guard)
        return function

    def permission_required(
        self, permissions: Sequence[str] = (), **rules: Sequence[str]
    ) -> Callable[[Decorated], Decorated]:
        """Only users who have one of the permissions pass: the permission check handler says. `id=["staff"]` holds
        where the request has an id that is not "me", `DELETE=["admin"]` for that method; then these take the place of
        `permissions`, and each that applies has to be passed."""

        def guard(was: Any) -> Any:
            from skitaid.atila.security.permission import judge_permission

            return judge_permission(was, permissions, rules)

        return _marking("permission", guard)

    def testpass_required(self, test: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
        """`test(was)` decides: True and None let the request pass, False is a 403, anything else is the response."""

        def guard(was: Any) -> Any:
            from skitaid.atila.security.permission import pass_test

            return pass_test(was, test)

        return _marking("permission", guard)

    def _register(self, kind: str, function: Decorated) -> Decorated:
        self.handlers[kind] = function
        return function


def _marking(place: str, guard: Guard) -> Callable[[Decorated], Decorated]:
    def mark(function: Decorated) -> Decorated:
        getattr(marks_of(function), place).append(guard)
        return function

    return mark
