from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from skitaid.handlers.loading.callables import AppKind, is_asgi, kind_of


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


def wrapped_asgi(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return asgi_function(scope, receive, send)


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class AsgiBound:
    async def handle(self, scope: Any, receive: Any, send: Any) -> None: ...

    def plain(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return self.handle(scope, receive, send)


class AsgiEndpoint:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any:
        yield


def wsgi_function(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


def wsgi_with_options(environ: Any, start_response: Any, debug: bool = False) -> Iterable[bytes]:
    return []


def anything(*args: Any, **kwargs: Any) -> Iterable[bytes]:
    return []


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return []


class WsgiClass:
    """PEP 3333: the class is the app, its instance the iterable."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any:
        yield b""


class WsgiClassWithAsyncCall(WsgiClass):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    "app",
    [asgi_function, wrapped_asgi, AsgiObject(), AsgiBound().handle, AsgiBound().plain, AsgiEndpoint,
     functools.partial(asgi_function), functools.partial(functools.partial(AsgiObject()))],
)  # fmt: skip
def test_asgi(app: Callable[..., Any]) -> None:
    assert is_asgi(app)
    assert kind_of(app) is AppKind.ASGI == "asgi"


@pytest.mark.parametrize(
    "app",
    [wsgi_function, wsgi_with_options, anything, WsgiObject(), WsgiObject().__call__, WsgiClass,
     WsgiClassWithAsyncCall, functools.partial(wsgi_with_options, debug=True), print, type],
)  # fmt: skip
def test_wsgi(app: Callable[..., Any]) -> None:
    assert not is_asgi(app)
    assert kind_of(app) is AppKind.WSGI == "wsgi"


def test_arguments_a_partial_has_bound_do_not_count() -> None:
    def with_site(site: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        return []

    assert not is_asgi(functools.partial(with_site, object()))
