"""The attributes of `was` and of `was.request` that are made when they are first asked for: where each is defined.

An object is made by a function that is given `was`, and kept for the request. A method is a function whose first
argument is `was`. A property is a function that is given `was`, and called each time. Nothing is imported before that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

__all__ = ["METHODS", "OBJECTS", "PROPERTIES", "REQUEST_OBJECTS", "Place", "load"]

Place = tuple[str, str]
"""A module, and a name in it."""

OBJECTS: Final[Mapping[str, Place]] = {
    "cookie": ("skitaid.atila.sessions.cookies", "cookie_of"),
    "session": ("skitaid.atila.sessions.session", "session_of"),
    "mbox": ("skitaid.atila.sessions.mbox", "mbox_of"),
}
"""`was.NAME`: function(was) makes it, once a request."""

PROPERTIES: Final[Mapping[str, Place]] = {
    "csrf_token": ("skitaid.atila.security.csrf", "token"),
    "csrf_token_input": ("skitaid.atila.security.csrf", "token_input"),
    "user": ("skitaid.atila.security.authentication", "current_user"),
}
"""`was.NAME`: function(was), each time."""

METHODS: Final[Mapping[str, Place]] = {
    "render": ("skitaid.atila.templates.rendering", "render"),
    "render2": ("skitaid.atila.templates.rendering", "render2"),
    "csrf_verify": ("skitaid.atila.security.csrf", "verify"),
    "mkott": ("skitaid.atila.security.onetime", "mkott"),
    "deott": ("skitaid.atila.security.onetime", "deott"),
    "rvott": ("skitaid.atila.security.onetime", "rvott"),
    # The older names.
    "token": ("skitaid.atila.security.onetime", "mkott"),
    "mktoken": ("skitaid.atila.security.onetime", "mkott"),
    "detoken": ("skitaid.atila.security.onetime", "deott"),
    "rmtoken": ("skitaid.atila.security.onetime", "rvott"),
    "mkjwt": ("skitaid.atila.security.jwt", "mkjwt"),
    "dejwt": ("skitaid.atila.security.jwt", "dejwt"),
    "API": ("skitaid.atila.responses.api", "make_api"),
    "Fault": ("skitaid.atila.responses.api", "make_fault"),
    "File": ("skitaid.atila.responses.file", "make_file"),
    "api": ("skitaid.atila.responses.api", "make_api"),
    "for_api": ("skitaid.atila.responses.api", "make_fault"),
    "jstream": ("skitaid.atila.responses.api", "make_jstream"),
    "redirect": ("skitaid.atila.responses.redirect", "redirect"),
}
"""`was.NAME(...)`: function(was, ...)."""

REQUEST_OBJECTS: Final[Mapping[str, Place]] = {
    "JWT": ("skitaid.atila.security.authentication", "claims_of"),
    "user": ("skitaid.atila.security.authentication", "user_of"),
    "multipart": ("skitaid.atila.requests.multipart", "form_of"),
}
"""`was.request.NAME`: function(was), once a request. `multipart`: the fields and files of a multipart body, a dict; a
name that comes more than once has a list. Raises HTTPError (400, 413)."""


@cache
def load(place: Place) -> Callable[..., Any]:
    """What stands there."""
    module, name = place
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
