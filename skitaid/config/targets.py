"""What a line of `[routes:line]` leads to: a folder of files, an app, or an alias."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from skitaid.config.fields import Place
from skitaid.config.members import DATABASE_TYPES
from skitaid.config.model import AppTarget, ProxyTarget, StaticTarget, Target
from skitaid.config.paths import explain_missing, reachable, resolve
from skitaid.config.report import UnfitError, did_you_mean, nearest

__all__ = ["parse_target", "show_target"]

DEFAULT_CALLABLE = "app"
KINDS = ("asgi", "wsgi")


def parse_target(text: str, place: Place, alias_types: Mapping[str, str]) -> Target:
    """The target that `text` names; `alias_types` are the aliases that are defined. Raises UnfitError."""
    kind, rest = _split_kind(text)
    if kind is not None:
        return _app_of_kind(kind, rest, place.folder)
    if text.startswith("@"):
        return _proxy_target(text, alias_types)
    if text.startswith(("http://", "https://")):
        raise UnfitError("a URL is not a target", "define [@name] with members = HOST:PORT and write @name here")
    path = reachable(resolve(text, place.folder))
    if path.is_dir() and (text.endswith("/") or not _is_package(path)):
        # a package's folder is an app: served as files it would show its source to everybody
        return StaticTarget(path)
    if text.endswith("/"):
        raise UnfitError(f"there is no folder {path}", explain_missing(path))
    return _app_target(text, place.folder)


def show_target(target: Target) -> str:
    """The target as `parse_target` reads it back."""
    if isinstance(target, StaticTarget):
        return f"{target.root}/".replace("//", "/")
    if isinstance(target, AppTarget):
        kind = "" if target.kind is None else f"{target.kind}:"
        return f"{kind}{target.module}:{target.callable}"
    return f"@{target.alias}{target.remap or ''}"


def _is_package(path: Path) -> bool:
    return reachable(path / "__init__.py").is_file()


def _proxy_target(text: str, alias_types: Mapping[str, str]) -> ProxyTarget:
    name, slash, rest = text[1:].partition("/")
    if name not in alias_types:
        fix = did_you_mean(f"@{name}", [f"@{known}" for known in alias_types])
        raise UnfitError(f"alias @{name} is not defined", fix or f"define it: a section [@{name}] with members = …")
    if alias_types[name] in DATABASE_TYPES:
        text = f"alias @{name} is a database ({alias_types[name]}) and can't be mounted"
        raise UnfitError(text, "apps reach it by its name")
    return ProxyTarget(name, slash + rest if slash else None)


def _split_kind(text: str) -> tuple[str | None, str]:
    """`asgi:FILE:CALLABLE` to its two parts. `asgi:app` is the callable `app` of a file asgi.py, as it is everywhere:
    the prefix is one only before something that has a slash or a colon of its own."""
    kind, colon, rest = text.partition(":")
    if colon and kind in KINDS and re.search("[:/@]", rest):
        return kind, rest.strip()
    return None, text


def _app_of_kind(kind: str, text: str, folder: Path) -> AppTarget:
    if text.startswith("@") or text.endswith("/") or "://" in text:
        raise UnfitError(f"{text} is not an app", f"write it without {kind}:, or write {kind}:PATH/MODULE:CALLABLE")
    return replace(_app_target(text, folder), kind=kind)


def _app_target(text: str, folder: Path) -> AppTarget:
    module, colon, name = text.rpartition(":")
    if not colon:
        module, name = text, DEFAULT_CALLABLE
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
        raise UnfitError(f"{name!r} is not the name of a callable", "write PATH/MODULE:CALLABLE")
    path = reachable(resolve(module, folder))
    found = _find_module(path)
    if found is None and module in KINDS:
        raise UnfitError(f"there is no {path}.py", f"if {name} is the module, write {module}:./{name}")
    if found is None:
        raise _missing_module(path, is_app=bool(colon))
    return AppTarget(found, name)


def _find_module(path: Path) -> Path | None:
    if path.is_dir() and _is_package(path):
        return path
    with_suffix = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    return with_suffix if with_suffix.is_file() else None


def _missing_module(path: Path, *, is_app: bool) -> UnfitError:
    if path.is_dir():
        return UnfitError(f"{path} is a folder without __init__.py, so no app is in it", _modules_in(path))
    if path.is_file():
        return UnfitError(f"{path} is neither a folder nor a Python file", "name the folder that holds it")
    looked_for = str(path) if path.suffix == ".py" else f"{path}.py"
    what = f"there is no {looked_for}" if is_app else f"there is neither a folder {path} nor a file {looked_for}"
    return UnfitError(what, _nearest_module(path, is_app=is_app))


def _modules_in(folder: Path) -> str:
    modules = sorted(path.stem for path in folder.glob("*.py"))[:5]
    return f"name one of its modules: {', '.join(modules)}" if modules else "name a Python file"


def _nearest_module(path: Path, *, is_app: bool) -> str:
    if not path.parent.is_dir():
        return explain_missing(path)
    known = [name for name in _names_in(path.parent) if name.endswith(".py") or not is_app]
    found = nearest(path.name, known) or nearest(path.name, [name.removesuffix(".py") for name in known])
    return f"did you mean {found}?" if found else f"create it in {path.parent}"


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except PermissionError:
        return []
