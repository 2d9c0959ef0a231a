"""Small languages of single keys: log patterns, roles, file names, the smart host, the state backend."""

from __future__ import annotations

import re

from skitaid.config.addresses import is_host, parse_port, split_port
from skitaid.config.fields import Kind, Place, scalar
from skitaid.config.report import UnfitError

__all__ = ["file_name", "log_pattern", "role", "smtp_server", "state_backend", "try_path"]


def log_pattern(item: str, _place: Place) -> str:
    """`/static/` for all paths that start so, `*.css` for all that end so."""
    if not item.startswith(("/", "*")) or "*" in item[1:]:
        raise UnfitError(f"{item!r} is no pattern")
    return item


def role(item: str, _place: Place) -> str:
    if not re.fullmatch(r"[\w.:@-]+", item):
        raise UnfitError(f"{item!r} is no role", "use letters, digits, _ and -")
    return item


def file_name(item: str, _place: Place) -> str:
    if "/" in item or item in (".", ".."):
        raise UnfitError(f"{item!r} is no file name", "write the name without a folder")
    return item


def try_path(text: str) -> str:
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
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{25 if port is None else parse_port(port, 1)}"


def state_backend() -> Kind:
    return scalar("local or redis://host:port/number", _parse_backend)


def _parse_backend(text: str) -> str:
    if text == "local" or re.fullmatch(r"rediss?://[^\s/]+(/[0-9]*)?", text):
        return text
    raise UnfitError
