"""The attributes of `was`: where each is defined. Nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["OF_REQUEST", "SERVICES", "load", "of_request"]

_CALLS: Final = (
    "get", "post", "put", "patch", "delete", "options", "head", "upload", "postform", "putform", "postxml", "putxml",
    "postnvp", "putnvp", "postjson", "putjson", "getjson", "getxml", "deletejson",
)  # fmt: skip
_PLACES: Final = {
    "skitaid.was.calls.methods": _CALLS,
    "skitaid.was.calls.stubs": ("rpc", "xmlrpc", "jsonrpc"),
    "skitaid.was.calls.grpc_stubs": ("grpc",),
    "skitaid.was.calls.proxying": ("proxypass",),
    "skitaid.was.tasks.task": ("Task",),
    "skitaid.was.tasks.group": ("Tasks", "Mask"),
    "skitaid.was.tasks.promises": ("Future", "Futures"),
    "skitaid.was.tasks.result": ("Result", "STA_UNSENT", "STA_TIMEOUT", "STA_REQFAIL", "STA_NORMAL", "STA_NETERR"),
    "skitaid.was.errors": ("HTTPError", "NoRequestError", "NoWorkerError", "LoopThreadError"),
    "skitaid.was.local.pools": ("Thread", "Process", "Subprocess"),
    "skitaid.was.states": ("register_states", "setgs", "getgs", "addgs", "setlu", "getlu"),
    "skitaid.was.locks": ("get_lock",),
    "skitaid.was.markup": ("tojson", "fromjson", "toxml", "fromxml"),
    "skitaid.was.journal": ("log", "traceback"),
    "skitaid.was.temporary": ("gentemp",),
    "skitaid.was.control": ("restart", "shutdown"),
    "skitaid.was.server_push": ("push",),
    "skitaid.was.ids": ("timestamp", "uniqid"),
    "skitaid.was.overview": ("status",),
}
_ALIASES: Final = {
    "Error": ("skitaid.was.errors", "HTTPError"),
    "email": ("skitaid.agents.smtpda.message", "Email"),
    "futures": ("skitaid.was.tasks.promises", "Futures"),
}

SERVICES: Final[Mapping[str, tuple[str, str]]] = {
    **{name: (module, name) for module, names in _PLACES.items() for name in names},
    **_ALIASES,
}
"""Name of the attribute: module, and name in it."""

OF_REQUEST: Final = ("app", "env", "request")
"""What every request has. A container (a framework that knows `was`) adds names of its own: context.bind_container."""


def load(name: str) -> Any:
    """A service by its name."""
    module, attribute = SERVICES[name]
    return getattr(importlib.import_module(module), attribute)


def of_request(name: str) -> Any:
    """What the request that is being answered has under this name. Raises AttributeError, NoRequestError."""
    from skitaid.was.context import attribute

    return attribute(name)
