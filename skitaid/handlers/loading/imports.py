"""How the projects of one process import their own modules. The import state of a process is global, so is this.

A project is a folder with apps in it, its root. Most of its modules keep their natural names (`app`, `services`), so
that importlib, pickle and Django work as everywhere. Three things are added:

* `from . import admin` in a top-level file: such a module's `__package__` is the project's own package, a module made
  here with the root as its path. A submodule of it is the natural module under a second name, one object.
* A name that somebody else has already (an earlier project's `services`, a module of the standard library) is
  isolated: the module's real name is `PACKAGE.services`, and an `import services` written in this project's modules is
  led there by a function around `__import__`, which is in place only once there is such a name.
* The root stands on `sys.path` after the standard library: a project's `queue.py` is never met by others.
"""

from __future__ import annotations

import builtins
import importlib
import os
import re
import sys
import sysconfig
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    BuiltinImporter,
    FrozenImporter,
    ModuleSpec,
    NamespaceLoader,
    PathFinder,
    all_suffixes,
)
from types import ModuleType

__all__ = ["Project", "Projects", "Standing", "module_file"]

RESERVED = frozenset({"skitaid", "skitai", "atila"})
"""What apps import from us: a project's folder of that name never takes their place."""


class Standing(Enum):
    """What an absolute import of a project's top-level name leads to, inside the project."""

    NATURAL = "the module, under its own name"
    ISOLATED = "the module, under the project's package, as the name is taken"
    SHADOWED = "somebody else's module that was loaded before; ours is reached by relative import"
    FOREIGN = "not this project's"


@dataclass(slots=True)
class Project:
    """A root folder, the name of the package that stands for it, and the standing of its top-level names."""

    root: str
    package: str
    standing: dict[str, Standing] = field(default_factory=dict)

    def owns_file(self, path: str | None) -> bool:
        return path is not None and path.startswith(self.root.rstrip("/") + "/")


class Projects(MetaPathFinder):
    """The projects of this process, and the finder of their modules. `current()` gives the one there is."""

    def __init__(self) -> None:
        self._by_root: dict[str, Project] = {}
        self._by_package: dict[str, Project] = {}
        self._owners: dict[str, Project] = {}
        self._redirects = False

    @classmethod
    def current(cls) -> Projects:
        """The finder that stands in `sys.meta_path`, put there at the first call."""
        for finder in sys.meta_path:
            if isinstance(finder, cls):
                return finder
        finder = cls()
        sys.meta_path.insert(0, finder)
        return finder

    def project(self, root: str) -> Project:
        """The project of the folder `root`, made at the first call. Its names are claimed as they are found."""
        identity = os.path.realpath(root)
        if identity not in self._by_root:
            project = Project(root, _package_name(identity))
            self._by_root[identity] = self._by_package[project.package] = project
            sys.modules[project.package] = _package_module(project)
            for name in sorted(top_level_names(root)):
                self.claim(project, name)
            if root not in sys.path:
                earlier = [each.root for each in self._by_root.values()]
                sys.path.insert(_index_after(sys.path, earlier), root)
        return self._by_root[identity]

    @property
    def roots(self) -> tuple[str, ...]:
        """The folders of all projects, in the order in which they were met."""
        return tuple(project.root for project in self._by_root.values())

    def real_name(self, project: Project, dotted: str) -> str:
        """The name a module of the project has in `sys.modules`."""
        standing = self.claim(project, dotted.partition(".")[0])
        return dotted if standing is Standing.NATURAL else f"{project.package}.{dotted}"

    def claim(self, project: Project, name: str) -> Standing:
        """The standing of a top-level name, decided once."""
        if name not in project.standing:
            standing = self._decide(project, name)
            if standing is Standing.FOREIGN:
                return standing  # not kept: a file may be written later
            project.standing[name] = standing
            if standing is Standing.NATURAL:
                self._owners[name] = project
            elif standing is Standing.ISOLATED:
                self._redirect()
        return project.standing[name]

    def redirected(self, name: str, importer: Mapping[str, object] | None) -> str | None:
        """The real name when `name`, imported absolutely by a module with the globals `importer`, is isolated."""
        its_name = importer.get("__name__") if importer else None
        if not isinstance(its_name, str):
            return None
        top = its_name.partition(".")[0]
        project = self._by_package.get(top) or self._owners.get(top)
        if project is None or project.standing.get(name.partition(".")[0]) is not Standing.ISOLATED:
            return None
        return f"{project.package}.{name}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder. None leaves the name to the usual finders."""
        top, _, rest = fullname.partition(".")
        if not rest:
            return self._natural_spec(top)
        project = self._by_package.get(top)
        if project is None:
            return None
        name = rest.partition(".")[0]
        standing = self.claim(project, name)
        if standing is Standing.NATURAL:
            return ModuleSpec(fullname, _Alias(rest)) if _exists(rest, project) else None
        if rest == name and standing is not Standing.FOREIGN:
            return PathFinder.find_spec(fullname, [project.root])
        return None

    def _natural_spec(self, name: str) -> ModuleSpec | None:
        project = self._owners.get(name)
        if project is None:
            return None
        # The rest of the path counts too: a folder without __init__.py may be one portion of several.
        others = {each.root for each in self._by_root.values()} - {project.root}
        spec = PathFinder.find_spec(name, [project.root, *(folder for folder in sys.path if folder not in others)])
        if spec is None or spec.submodule_search_locations is None:
            return _TopLevelSpec(spec, project.package) if spec else None
        # A plain list: the usual one follows every change of sys.path, to the next project's folder of that name.
        spec.submodule_search_locations = list(spec.submodule_search_locations)
        return spec

    def _decide(self, project: Project, name: str) -> Standing:
        spec = PathFinder.find_spec(name, [project.root])
        if spec is None or (spec.origin is None and self._is_regular_elsewhere(name)):
            return Standing.FOREIGN
        loaded = sys.modules.get(name)
        if loaded is not None and _is_what(loaded, spec):
            return Standing.NATURAL
        if name in RESERVED or _beats_any_path(name) or (name in sys.stdlib_module_names and loaded is not None):
            return Standing.SHADOWED
        if name in sys.stdlib_module_names or name in self._owners or loaded is not None:
            return Standing.ISOLATED
        return Standing.NATURAL

    def _is_regular_elsewhere(self, name: str) -> bool:
        """Whether `name` is a module or a package with an __init__.py outside the projects. Such a one goes before
        a mere folder, wherever on the path it stands."""
        finders = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        specs = filter(None, (finder.find_spec(name, None) for finder in finders))
        origin = next((spec.origin for spec in specs if spec.origin is not None), None)
        return origin is not None and not any(project.owns_file(origin) for project in self._by_root.values())

    def _redirect(self) -> None:
        if not self._redirects:
            self._redirects = True
            builtins.__import__ = _redirecting_import(self, builtins.__import__)
            importlib.import_module = _redirecting_import_module(self, importlib.import_module)


def top_level_names(root: str) -> set[str]:
    """The names that a folder offers to `import`: modules, packages, and folders with Python files in them."""
    return {name for entry in _entries(root) if (name := _importable_name(entry))}


def module_file(module: ModuleType) -> str | None:
    """Where a module comes from: its file, or for a folder without __init__.py the first of its folders."""
    own = getattr(module, "__dict__", {})  # not getattr: a lazy module would load itself
    if own.get("__file__"):
        return str(own["__file__"])
    try:
        return str(next(iter(own.get("__path__") or ())))
    except (StopIteration, TypeError):
        return None


class _TopLevelSpec(ModuleSpec):
    """The spec of a top-level file: its parent is the project's package, so that `from . import x` works. Python
    takes `__package__` from here and warns when the two differ."""

    def __init__(self, found: ModuleSpec, package: str) -> None:
        super().__init__(found.name, found.loader, origin=found.origin, loader_state=found.loader_state)
        self.has_location = found.has_location
        self.cached = found.cached
        self._package = package

    @property
    def parent(self) -> str:
        return self._package


class _Alias(Loader):
    """Gives a module that has a natural name a second one, `PACKAGE.name`."""

    def __init__(self, natural: str) -> None:
        self._natural = natural
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._natural)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import machinery has just put the second name's spec there


def _redirecting_import(projects: Projects, usual: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
    def __import__(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        real = None if level else projects.redirected(name, globals)
        if real is None:
            return usual(name, globals, locals, fromlist, level)
        found = usual(real, globals, locals, fromlist, 0)
        if fromlist:
            return found
        # `import services.views` binds `services`
        return sys.modules[f"{real.partition('.')[0]}.{name.partition('.')[0]}"]

    return __import__


def _redirecting_import_module(projects: Projects, usual: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
    def import_module(name: str, package: str | None = None) -> ModuleType:
        real = None if name.startswith(".") else projects.redirected(name, sys._getframe(1).f_globals)
        return usual(real or name, package)

    return import_module


def _package_name(identity: str) -> str:
    """The same in every worker and after a restart, as pickles of an isolated module's classes hold it."""
    stem = re.sub(r"\W", "_", os.path.basename(identity), flags=re.ASCII)
    return f"_{stem}_{zlib.crc32(os.fsencode(identity)):08x}"


def _package_module(project: Project) -> ModuleType:
    spec = ModuleSpec(project.package, None, is_package=True)
    spec.submodule_search_locations = [project.root]
    spec.loader = NamespaceLoader(project.package, [project.root], PathFinder)  # type: ignore[arg-type]
    module = ModuleType(project.package, f"The top-level modules of {project.root}")
    module.__spec__, module.__path__, module.__package__ = spec, [project.root], project.package
    module.__loader__ = spec.loader
    return module


def _is_what(loaded: ModuleType, spec: ModuleSpec) -> bool:
    """Whether the module that is loaded is the one that `spec` would load."""
    file = module_file(loaded)
    ours = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
    return file is not None and os.path.realpath(file) == os.path.realpath(ours)


def _exists(dotted: str, project: Project) -> bool:
    """Whether the natural module is there to be aliased; a submodule's absence is found by importing it."""
    return "." in dotted or PathFinder.find_spec(dotted, [project.root]) is not None


def _beats_any_path(name: str) -> bool:
    """Built-in and frozen modules are found before any folder of sys.path, by every program."""
    return BuiltinImporter.find_spec(name) is not None or FrozenImporter.find_spec(name) is not None


def _index_after(path: Sequence[str], earlier: Sequence[str]) -> int:
    """The place on `path` behind the standard library and the `earlier` projects."""
    stdlib = os.path.realpath(sysconfig.get_path("stdlib"))
    before = {stdlib, os.path.join(stdlib, "lib-dynload"), *map(os.path.realpath, earlier)}
    places = [index for index, folder in enumerate(path) if os.path.realpath(folder) in before]
    return max(places, default=-1) + 1


def _importable_name(entry: os.DirEntry[str]) -> str:
    """The module's name that a directory entry makes, or ""."""
    if _is_folder(entry):
        return entry.name if entry.name.isidentifier() and _holds_python(entry.path) else ""
    stem = next((entry.name.removesuffix(suffix) for suffix in _SUFFIXES if entry.name.endswith(suffix)), "")
    return stem if stem.isidentifier() else ""


def _holds_python(folder: str, *, depth: int = 1) -> bool:
    entries = list(_entries(folder))
    if any(entry.name.endswith(".py") for entry in entries):
        return True
    return depth > 0 and any(_is_folder(entry) and _holds_python(entry.path, depth=depth - 1) for entry in entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return  # a folder we may not read offers nothing


_SUFFIXES = sorted(all_suffixes(), key=len, reverse=True)
