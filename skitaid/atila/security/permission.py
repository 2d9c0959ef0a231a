"""Who may ask for what: the guards that decorators of an app put before its functions. What they ask are handlers that
the app registers; without one, nobody passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.was.errors import HTTPError, WasError

__all__ = ["NoHandlerError", "ask", "judge_permission", "needed_permissions", "pass_test"]

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_DECORATORS: Final = {
    "login": ("login_required", "login_handler"),
    "permission": ("permission_required", "permission_check_handler"),
    "staff_member": ("staff_member_required", "staff_member_check_handler"),
}


class NoHandlerError(WasError):
    """Nobody says who passes; the app's author must act."""

    def __init__(self, kind: str) -> None:
        required, handler = _DECORATORS[kind]
        super().__init__(f"@app.{required} stands before a function, and nothing says who passes: add @app.{handler}")


def ask(was: Was, kind: str, *given: Any) -> Any:
    """What the app's handler of that kind says: None lets the request pass, anything else is the response. Raises
    NoHandlerError; TypeError for True, which says nothing about what to answer."""
    handler = was.app.handlers.get(kind)
    if handler is None:
        raise NoHandlerError(kind)
    said = handler(was, *given)
    if isinstance(said, bool):
        raise TypeError(f"{handler.__name__} returned {said}: return None to let a request pass, else its response")
    return _as_refusal(was, said)


def judge_permission(was: Was, base: Sequence[str], rules: Mapping[str, Sequence[str]]) -> Any:
    """Ask for each set of permissions that the request needs; the first refusal is the response."""
    for permissions in needed_permissions(was, base, rules):
        said = ask(was, "permission", permissions)
        if said is not None:
            return said
    return None


def needed_permissions(was: Was, base: Sequence[str], rules: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Each set that has to be passed. A rule for a parameter is in force when the request names one, and not "me"; one
    for a method, with that method. `base` stands where no rule is in force."""
    method = "GET" if was.request.method == "HEAD" and "HEAD" not in rules else was.request.method
    named = [
        list(permissions) for name, permissions in rules.items() if name not in _METHODS and _names_other(was, name)
    ]
    by_method = [list(rules[method])] if method in rules else []
    return named + by_method or [list(base)]


def _names_other(was: Was, name: str) -> bool:
    """Whether the request says whom it is about, and it is not who asks. What the path says goes before the rest."""
    params: dict[str, Any] = was.request.PARAMS
    value = params[name] if name in params else was.request.ARGS.get(name)
    return value is not None and value != "me"


def pass_test(was: Was, test: Any) -> Any:
    """What a function of the app says of a request: True and None let it pass, False is a 403, anything else the
    response. Raises HTTPError."""
    said = test(was)
    if said is False:
        raise HTTPError("403 Permission Denied")
    return None if said is True else _as_refusal(was, said)


def _as_refusal(was: Was, said: Any) -> Any:
    """A text about a token, as in `return claims["err"]`, becomes a 401; everything else stays what it is."""
    if isinstance(said, str):
        from skitaid.atila.security.jwt import TokenProblem

        if isinstance(said, TokenProblem):
            challenge = f'Bearer error="invalid_token", error_description="{said}"'
            return was.response.with_explain("401 Unauthorized", said, [("WWW-Authenticate", challenge)])
    return said
