"""What `run PATH` serves: a path → the conf it amounts to. Reads files, imports none of them."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from skitaid.cli.nearest import did_you_mean
from skitaid.cli.options import UsageError
from skitaid.cli.watch import project_folder
from skitaid.config.quoting import quote

APP_FILES = ("app.py", "wsgi.py", "application.py", "main.py")
"""Files of a folder that are looked at for an app, in this order."""
CALLABLES = ("app", "application")
ENVIRONMENTS = (".venv", "venv")
"""Folders of a project that are looked at for its virtual environment, in this order."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of `[routes:line]`; `listing`: a folder's files are listed where it has no index."""

    mount: str
    target: str
    listing: bool = False


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The conf that a path amounts to. `name`: of the instance. `key`: the same for the same path, another for
    another. `python`: the virtual environment of what is served, if it has one."""

    name: str
    key: str
    routes: tuple[Route, ...]
    python: Path | None = None

    def conf(self, host: str, port: int) -> str:
        """The conf file that serves this."""
        lines = ["[server]", f"ip = {host}", f"port = {port}"]
        if self.python is not None:
            lines.append(f"python = {quote(str(self.python))}")
        lines += ["", "[routes:line]"]
        lines += [f"{route.mount} = {quote(route.target)}" for route in self.routes]
        for route in self.routes:
            if route.listing:
                lines += ["", f"[{route.mount}]", "listing = yes"]
        return "\n".join(lines) + "\n"


def plan_for(path_text: str, environ: Mapping[str, str] | None = None) -> RunPlan:
    """`app.py`, `app.py:callable`, a package's folder, a folder with an app in it, a Django project's folder, or a
    folder of files. `environ` may name a virtual environment that is active. Raises UsageError when the path is none of
    these."""
    path, chosen = _split(path_text)
    path = path.resolve()
    routes = _routes(path, chosen)
    stem = path.stem if path.is_file() else path.name
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in stem).strip("-") or "site"
    python = None if routes[0].listing else _environment(path, environ or {})
    return RunPlan(name, f"{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}", routes, python)


def _environment(path: Path, environ: Mapping[str, str]) -> Path | None:
    """The virtual environment that is active, else the project's own; None: there is none but that of skitaid."""
    root = project_folder(path / "__init__.py" if path.is_dir() else path)
    active = [Path(environ["VIRTUAL_ENV"])] if environ.get("VIRTUAL_ENV") else []
    for folder in (*active, *(root / name for name in ENVIRONMENTS)):
        if (folder / "pyvenv.cfg").is_file() and folder.resolve() != Path(sys.prefix).resolve():
            return folder
    return None


def _split(text: str) -> tuple[Path, str | None]:
    """A colon parts the callable from the file, unless a file of that whole name exists."""
    if Path(text).exists():
        return Path(text), None
    head, colon, tail = text.rpartition(":")
    if colon and tail.isidentifier() and Path(head).exists():
        return Path(head), tail
    raise UsageError(f"{text}: there is no such file or folder" + _beside(Path(text)))


def _beside(path: Path) -> str:
    folder = path.parent
    return did_you_mean(path.name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else ""


def _routes(path: Path, chosen: str | None) -> tuple[Route, ...]:
    if path.is_file():
        return (_app_route(path, path, chosen),)
    if (path / "__init__.py").is_file() and (chosen or _offers(path / "__init__.py")):
        return (_app_route(path, path / "__init__.py", chosen),)
    for name in APP_FILES:
        if (path / name).is_file() and _offers(path / name):
            static = (Route("/static", str(path / "static")),) if (path / "static").is_dir() else ()
            return (_app_route(path / name, path / name, chosen), *static)
    return _django_routes(path) or (Route("/", str(path), listing=True),)


def _django_routes(path: Path) -> tuple[Route, ...]:
    """Those of a project that has its manage.py there: the wsgi.py or asgi.py beside its settings."""
    if not (path / "manage.py").is_file():
        return ()
    found = [source for name in ("wsgi.py", "asgi.py") for source in sorted(path.glob(f"*/{name}")) if _offers(source)]
    if not found:
        # Its folder holds settings and keys: not to be listed to anybody.
        raise UsageError(f"{path}: there is a manage.py, and no wsgi.py or asgi.py below it; name it: run FILE.py:NAME")
    return (_app_route(found[0], found[0], None),)


def _app_route(target: Path, source: Path, chosen: str | None) -> Route:
    if source.suffix != ".py":
        raise UsageError(f"{source}: expected a Python file (.py) or a folder")
    if chosen is None:
        offered = _offers(source)
        if not offered:
            raise UsageError(
                f"{source}: no {' or '.join(CALLABLES)} is defined at its top level; "
                f"name the callable: run {source.name}:NAME"
            )
        chosen = offered[0]
    return Route("/", f"{target}:{chosen}")


def _offers(source: Path) -> list[str]:
    """Which of the usual names a file defines at its top level. A file that does not parse offers `app`: the error
    is shown when it is imported, with its traceback."""
    try:
        tree = ast.parse(source.read_bytes(), str(source))
    except (SyntaxError, ValueError):
        return [CALLABLES[0]]
    defined = set(_names(tree.body))
    return [name for name in CALLABLES if name in defined]


def _names(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _names([*statement.body, *getattr(statement, "orelse", [])])
