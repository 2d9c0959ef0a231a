"""Loading the apps of an instance from the files that its conf names. One process, one set of projects.

The project of an app is the first folder above its file that is not a package; that root is put on `sys.path`, and a
file inside a package is imported by its dotted name. How two projects with modules of the same names keep apart is
told in `imports`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skitaid.exceptions import SkitaidError
from skitaid.handlers.loading import callables, imports
from skitaid.handlers.loading.callables import AppKind, kind_of, read_callable
from skitaid.handlers.loading.imports import Project, Projects, module_file

if TYPE_CHECKING:
    from traceback import TracebackException

__all__ = ["AppKind", "AppLoadError", "AppLoader", "LoadedApp", "load_app", "root_of"]


class AppLoadError(SkitaidError):
    """The app's author must act: its file is not there, fails to import, or has no such callable.

    `reason` is one line, `traceback` the text of the traceback without our own frames ("" when there is none).
    """

    def __init__(self, path: str, reason: str, traceback: str = "") -> None:
        self.path = path
        self.reason = reason
        self.traceback = traceback
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """An app that can be called. `module` is the module it was found in, `root` its project's folder."""

    callable: Callable[..., Any]
    kind: AppKind
    module: ModuleType
    root: str


def load_app(module: Path, callable_name: str = "app") -> LoadedApp:
    """Load one app. Raises AppLoadError. The projects of a process are shared by all that load in it."""
    return AppLoader().load(module, callable_name)


class AppLoader:
    """Loads the apps of one worker process and knows which files they came from."""

    def __init__(self) -> None:
        self._projects = Projects.current()
        self._asked: dict[str, set[str]] = {}

    def load(self, module: Path, callable_name: str = "app") -> LoadedApp:
        """The app `callable_name` (dotted for an attribute of something) of the file or package folder `module`.

        Raises AppLoadError; nothing else leaves here, whatever the app does while it is imported, but
        KeyboardInterrupt.
        """
        path = _locate(module)
        project = self._projects.project(root_of(path))
        self._asked.setdefault(project.root, set()).add(_file_of(path))
        loaded = self._import_or_explain(project, path)
        try:
            app = read_callable(loaded, callable_name)
        except (AttributeError, TypeError) as error:
            raise AppLoadError(path, str(error)) from None
        return LoadedApp(app, kind_of(app), loaded, project.root)

    @property
    def roots(self) -> tuple[str, ...]:
        """The projects' folders, in the order in which they were met."""
        return self._projects.roots

    def files(self, root: str | None = None) -> frozenset[str]:
        """The source files of the project at `root` (None: of all) that are loaded or failed to load, to be watched
        for changes. Packages installed inside the project's folder (an environment) are not counted."""
        roots = [root] if root is not None else list(self._asked)
        found = {path for module in list(sys.modules.values()) if (path := module_file(module)) and _is_watched(path)}
        inside = {path for path in found if any(path.startswith(its_root.rstrip("/") + "/") for its_root in roots)}
        return frozenset(inside.union(*(self._asked.get(its_root, ()) for its_root in roots)))

    def _import_or_explain(self, project: Project, path: str) -> ModuleType:
        try:
            return self._import(project, path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - app code runs here; its sys.exit must not stop the others
            failure = self._failure(project, path, error)
        raise failure  # out of the handler, so that it does not keep the app's frames alive

    def _import(self, project: Project, path: str) -> ModuleType:
        importlib.invalidate_caches()
        dotted = _dotted_name(path)
        if dotted is None:
            return _import_file(project, path)
        loaded = importlib.import_module(self._projects.real_name(project, dotted))
        # A folder `app/` goes before a file `app.py`, but the conf named the file.
        return loaded if _is_from(loaded, path) else _import_file(project, path)

    def _failure(self, project: Project, path: str, error: BaseException) -> AppLoadError:
        from traceback import TracebackException

        trace = TracebackException.from_exception(error, compact=True)
        _trim(trace)
        inside = [(file, line) for file, line in _places(trace) if project.owns_file(file)]
        self._asked[project.root].update(file for file, _ in inside)
        summary = f"it called sys.exit({error.code!r})" if isinstance(error, SystemExit) else _summary(trace)
        where = f" ({inside[-1][0]}:{inside[-1][1]})" if inside else ""
        return AppLoadError(path, f"cannot be imported: {summary}{where}", "".join(trace.format()))


def root_of(path: str) -> str:
    """The first folder above `path` that is not a package."""
    folder = os.path.dirname(path)
    while os.path.isfile(os.path.join(folder, "__init__.py")) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _locate(module: Path) -> str:
    """The absolute path of a Python file or a package's folder. Links are kept as they are written."""
    path = os.path.abspath(module)
    if os.path.basename(path) == "__init__.py":
        path = os.path.dirname(path)
    if os.path.isfile(path) or os.path.isfile(os.path.join(path, "__init__.py")):
        return path
    if os.path.isfile(path + ".py"):
        return path + ".py"
    if os.path.isdir(path):
        raise AppLoadError(path, "is a folder without __init__.py, expected a Python file or a package's folder")
    closed = _closed_folder(path)
    if closed is not None:
        raise AppLoadError(path, f"user {_user()} may not enter {closed}; namei -l {path} shows the rights")
    raise AppLoadError(path, "no such file, expected a Python file or a package's folder")


def _user() -> str:
    import pwd  # imported late: only a mistake needs it

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"id {os.geteuid()}"


def _closed_folder(path: str) -> str | None:
    """The uppermost folder above `path` that we may not enter: whether the file is there cannot be told."""
    folders = [str(folder) for folder in reversed(Path(path).parents)]
    return next((folder for folder in folders if os.path.isdir(folder) and not os.access(folder, os.X_OK)), None)


def _file_of(path: str) -> str:
    return os.path.join(path, "__init__.py") if os.path.isdir(path) else path


def _dotted_name(path: str) -> str | None:
    """`mysite.wsgi` for ROOT/mysite/wsgi.py; None for a file that `import` could not find by a name."""
    stem, suffix = (path, ".py") if os.path.isdir(path) else os.path.splitext(path)
    parts = os.path.relpath(stem, root_of(path)).split(os.sep)
    return ".".join(parts) if suffix == ".py" and all(part.isidentifier() for part in parts) else None


def _is_from(module: ModuleType, path: str) -> bool:
    found = module_file(module)
    return found is not None and os.path.realpath(found) == os.path.realpath(_file_of(path))


def _import_file(project: Project, path: str) -> ModuleType:
    """Import a file by its path alone, as a module of the project's package."""
    name = f"{project.package}.{os.path.relpath(path, root_of(path)).replace('.', '_').replace(os.sep, '_')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_watched(path: str) -> bool:
    return path.endswith(".py") and "/site-packages/" not in path


_OWN_FILES = frozenset({__file__, imports.__file__, callables.__file__})


def _trim(trace: TracebackException) -> None:
    """Drop the frames of this loader and of the import machinery, also from the errors before this one."""
    for each in _chain(trace):
        each.stack[:] = [
            frame
            for frame in each.stack
            if frame.filename not in _OWN_FILES
            and not frame.filename.startswith("<frozen importlib")
            and frame.filename != importlib.__file__
        ]


def _chain(trace: TracebackException | None) -> Iterator[TracebackException]:
    while trace is not None:
        yield trace
        trace = trace.__cause__ or trace.__context__


def _summary(trace: TracebackException) -> str:
    """The error's first line; a syntax error shows the source before it, indented."""
    lines = "".join(trace.format_exception_only()).splitlines()
    return next((line for line in lines if line and not line.startswith(" ")), "unknown error")


def _places(trace: TracebackException) -> list[tuple[str, int]]:
    """File and line of each frame, a syntax error's own place last."""
    places = [(frame.filename, frame.lineno or 0) for each in reversed(list(_chain(trace))) for frame in each.stack]
    if isinstance(getattr(trace, "filename", None), str):
        places.append((str(trace.filename), int(trace.lineno or 0)))
    return places
