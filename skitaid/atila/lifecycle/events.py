"""Events of an app, and between the apps of a process: part of skitaid.atila.app.Atila.

The app's own events are texts such as "user-updated"; those that an app goes through by itself are the constants here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from skitaid.atila.app_registry import APPS
from skitaid.atila.dispatch.hooks import Hooks
from skitaid.atila.dispatch.marks import marks_of
from skitaid.was import states
from skitaid.was.context import bound_request

__all__ = [
    "Bus", "app_mounted", "app_restarted", "app_restarting", "app_started", "app_starting", "app_unmounting",
    "broadcast", "request_failed", "request_finished", "request_starting", "request_success", "request_tearing_down",
    "template_rendering",
]  # fmt: skip

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

app_starting: Final = "app:starting"
app_started: Final = "app:started"
app_restarting: Final = "app:restarting"
app_restarted: Final = "app:restarted"
app_mounted: Final = "app:mounted"
app_unmounting: Final = "app:unmounting"
request_failed: Final = "request:failed"
request_success: Final = "request:success"
request_tearing_down: Final = "request:tearing-down"
request_starting: Final = "request:starting"
request_finished: Final = "request:finished"
template_rendering: Final = "template:rendering"


class Bus:
    """Decorators for those who listen to events, and `emit` and `broadcast` for those who tell of them."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Callable[..., Any]]] = {}
        self.broadcast_listeners: dict[str, list[Callable[..., Any]]] = {}

    def on(self, *events: str) -> Decorator[Any]:
        """`function(was, *args)` runs when this app emits one of the events."""

        def decorate(function: Decorated) -> Decorated:
            for event in events:
                if not _add_to_hooks(self, event, function):
                    self.listeners.setdefault(event, []).append(function)
            return function

        return decorate

    def emit(self, event: str, *args: Any, **named: Any) -> None:
        """Call the functions that listen to `event` in this app, here and now."""
        for function in self.listeners.get(event, ()):
            function(_subject(self), *args, **named)

    def template_rendering(self, was: Any, template: str, values: Any) -> None:
        """A template is about to be rendered: call the functions that listen to `template_rendering`."""
        for function in self.listeners.get(template_rendering, ()):
            function(was, template, values)

    def emit_after(self, event: str) -> Decorator[Any]:
        """The event is emitted after the function, that of a route or any other, if it does not raise."""
        return self._after(functools.partial(self.emit, event))

    def on_broadcast(self, *events: str) -> Decorator[Any]:
        """`function(was, *args)` runs when any app of this process broadcasts one of the events."""

        def decorate(function: Decorated) -> Decorated:
            _hear_states()
            for event in events:
                self.broadcast_listeners.setdefault(event, []).append(function)
            return function

        return decorate

    listen = on_broadcast

    def broadcast(self, event: str, *args: Any, **named: Any) -> None:
        """Call the functions that listen to `event` in any app of this process, here and now."""
        broadcast(event, *args, **named)

    def broadcast_after(self, event: str) -> Decorator[Any]:
        """The event is broadcast after the function, if it does not raise."""
        return self._after(functools.partial(broadcast, event))

    @staticmethod
    def _after(tell: Callable[[], None]) -> Decorator[Any]:
        def decorate(function: Decorated) -> Any:
            if inspect.iscoroutinefunction(function):
                return _after_coroutine(function, tell)

            @functools.wraps(function)
            def wrapped(*args: Any, **named: Any) -> Any:
                content = function(*args, **named)
                tell()
                return content

            # It may be routed, guarded and so on either way round.
            wrapped.__atila__ = marks_of(function)  # type: ignore[attr-defined]
            return wrapped

        return decorate


def _after_coroutine(function: Any, tell: Callable[[], None]) -> Any:
    @functools.wraps(function)
    async def wrapped(*args: Any, **named: Any) -> Any:
        content = await function(*args, **named)
        tell()
        return content

    wrapped.__atila__ = marks_of(function)  # type: ignore[attr-defined]
    return wrapped


def broadcast(event: str, *args: Any, **named: Any) -> None:
    """Call the functions that listen to `event` in any app of this process."""
    for app in list(APPS.values()):
        for function in app.broadcast_listeners.get(event, ()):
            function(_subject(app), *args, **named)


def _subject(app: Any) -> Any:
    """`was` of the request that is being answered here; that of no request where there is none."""
    bound = bound_request()
    if bound is not None and bound.container is not None:
        return bound.container
    return app.make_was()


def _add_to_hooks(app: Any, event: str, function: Callable[..., Any]) -> bool:
    """Events of requests are what hooks are there for, so that they cost nothing where nobody listens."""
    if not isinstance(app, Hooks):
        return False
    hooks = {
        request_starting: app.before_hooks,
        request_success: app.finish_hooks,
        request_failed: app.failed_hooks,
        request_tearing_down: app.teardown_hooks,
        request_finished: app.teardown_hooks,
    }
    if event not in hooks:
        return False

    # What a listener returns is nobody's response, as what a hook returns may be.
    def hear(was: Any) -> None:
        function(was)

    def hear_failure(was: Any, exc_info: Any) -> None:
        function(was, exc_info)

    hooks[event].append(hear_failure if event == request_failed else hear)
    app.has_hooks = True
    return True


@functools.cache
def _hear_states() -> None:
    """was.setlu and was.setgs are events, too."""
    states.listeners.append(lambda event, args, named: broadcast(event, *args, **named))
