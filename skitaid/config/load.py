"""Loading conf files: from a folder to frozen dataclasses.

What is wrong in a file is raised as one ConfError with every problem of that file; what is only doubtful is in the
`warnings` of the result. A bad file affects no other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from skitaid.config.certificates import certificate_problems
from skitaid.config.conflicts import conflicts
from skitaid.config.document import Document
from skitaid.config.fields import Place
from skitaid.config.model import Global, Instance, Main
from skitaid.config.reader import read_document, read_text
from skitaid.config.report import Report
from skitaid.config.sections import build_instance, build_main
from skitaid.config.take import Context
from skitaid.exceptions import ConfError, Problem

__all__ = [
    "ENABLED",
    "Loaded",
    "default_main",
    "etc_root",
    "instance_files",
    "load_all",
    "load_instance",
    "load_main",
    "parse_instance",
]

SYSTEM_ETC = Path("/etc/skitaid")
MAIN_STEM = "skitaid"
ENABLED = "servers-enabled"
SUFFIXES = (".conf", ".yaml")
AGENTS = ("smtpda", "cron")
"""`-f smtpda` and `-f cron` mean the agents: no instance can have their names."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything below one etc folder. `instances` are those that can run, `failures` say why others cannot,
    `problems` are all errors and warnings, of skitaid.conf first, then by instance."""

    main: Main
    instances: dict[str, Instance] = field(default_factory=dict)
    failures: dict[str, ConfError] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def has_errors(self) -> bool:
        return bool(self.failures)


# ---------------------------------------------------------------- folders


def etc_root(argument: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of skitaid.conf: `--etc`, else SKITAID_ETC, else /etc/skitaid; absolute."""
    chosen = argument or environ.get("SKITAID_ETC") or str(SYSTEM_ETC)
    return Path(os.path.abspath(os.path.expanduser(chosen)))


def _default_global(etc: Path) -> Global:
    """The system's folders for /etc/skitaid; for any other root folders beside it, so that a checkout needs no
    rights."""
    if etc == SYSTEM_ETC:
        return Global(Path("/var/log/skitaid"), Path("/var/local/skitaid"), Path("/run/skitaid"))
    var = Path(os.path.abspath(etc / ".." / "var"))
    return Global(var / "log", var / "lib", var / "run")


def default_main(etc: Path) -> Main:
    """What applies when there is no skitaid.conf."""
    return Main(_default_global(etc), etc)


def instance_files(etc: Path) -> dict[str, Path]:
    """The files of servers-enabled that count, by instance name, in the order of names: `*.conf` and `*.yaml`
    without a leading dot. Of two with the same name the .conf (loading it reports the other). None without that folder.
    Raises ConfError when it is there and cannot be listed."""
    try:
        entries = sorted(os.listdir(etc / ENABLED))
    except FileNotFoundError:
        return {}
    except OSError as error:
        text = f"the conf files cannot be listed: {error.strerror}"
        fix = "it must be a folder that the user who runs skitaid may read and enter"
        raise ConfError([Problem(str(etc / ENABLED), 0, text, fix)]) from error
    found: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for entry in entries:
            if entry.endswith(suffix) and not entry.startswith("."):
                found.setdefault(entry.removesuffix(suffix), etc / ENABLED / entry)
    return dict(sorted(found.items()))


# ---------------------------------------------------------------- single files


def load_main(etc: Path) -> Main:
    """skitaid.conf (or skitaid.yaml); without one everything is a default. Raises ConfError."""
    paths = [path for suffix in SUFFIXES if os.path.lexists(path := etc / f"{MAIN_STEM}{suffix}")]
    if not paths:
        return _main_without_file(etc)
    report = Report(str(paths[0]))
    if len(paths) > 1:
        report.error(0, f"{paths[1].name} is there as well: expected one of them", "remove one of the two")
    document = read_document(paths[0], report)
    place = Place(str(paths[0]), etc, etc / "cert")
    main = build_main(Context(document, place, report), etc, _default_global(etc))
    report.check()
    return replace(main, warnings=report.warnings)


def _main_without_file(etc: Path) -> Main:
    if not etc.is_dir():
        raise ConfError(
            [
                Problem(
                    str(etc),
                    0,
                    "there is no such folder: expected skitaid.conf and servers-enabled/ in it",
                    "name another with --etc DIR or SKITAID_ETC",
                )
            ]
        )
    return default_main(etc)


def load_instance(path: Path, main: Main, *, is_root: bool | None = None) -> Instance:
    """One file of servers-enabled, on its own: conflicts with other instances are `conflicts.conflicts`' to find.

    `is_root`: whether apps would run as root if no user is named; None looks at this process. Raises ConfError.
    """
    report = Report(str(path))
    _check_name(path, report)
    return _finish(read_document(path, report), path, main, report=report, is_root=is_root)


def parse_instance(text: str, path: Path, main: Main, *, is_root: bool | None = None) -> Instance:
    """`load_instance` from text, as if it stood in `path`. Raises ConfError."""
    report = Report(str(path))
    return _finish(read_text(text, path, report), path, main, report=report, is_root=is_root)


def _finish(document: Document, path: Path, main: Main, *, report: Report, is_root: bool | None) -> Instance:
    place = Place(str(path), path.parent, main.etc / "cert")
    if report.has_errors and not document.sections:
        report.check()
    instance = build_instance(Context(document, place, report), path.stem, main)
    report.check()
    own = conflicts(instance, ())
    if own:
        raise ConfError(own)
    _warn(instance, document, report, is_root=os.geteuid() == 0 if is_root is None else is_root)
    return replace(instance, warnings=report.warnings)


def _warn(instance: Instance, document: Document, report: Report, *, is_root: bool) -> None:
    section = document.get("server")
    if is_root and instance.server.user in (None, "root", "0"):
        text = "[server] apps run as root: expected user = NAME"
        report.warn(section.line if section else 0, text, "add it here, or for all in [global] of skitaid.conf")
    if not instance.hosts:
        report.warn(0, "nothing is mounted: it answers 404 to everything", "add a section [routes:line]")


def _check_name(path: Path, report: Report) -> None:
    name = path.stem
    if name in AGENTS:
        report.error(0, f"{name} is the name of an agent: expected another name for an instance", "rename the file")
    elif not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name, re.ASCII):
        text = f"{name!r} is not a name for an instance: expected letters, digits, _, - and dots"
        report.error(0, text, "rename the file")
    for suffix in SUFFIXES:
        twin = path.with_suffix(suffix)
        if twin != path and os.path.lexists(twin):
            report.error(0, f"{twin.name} beside it has the same name: expected one file per instance", "rename one")


# ---------------------------------------------------------------- all of it


def load_all(etc: Path, *, is_root: bool | None = None) -> Loaded:
    """skitaid.conf and every enabled instance. Raises ConfError, with the problems of every file, when skitaid.conf
    is bad; a bad instance is in `failures`."""
    try:
        main = load_main(etc)
    except ConfError as error:
        others = _load_instances(default_main(etc), is_root)
        raise ConfError([*error.problems, *others.problems]) from None
    return _load_instances(main, is_root)


def _load_instances(main: Main, is_root: bool | None) -> Loaded:
    instances: dict[str, Instance] = {}
    failures: dict[str, ConfError] = {}
    problems = list(main.warnings)
    for name, path in instance_files(main.etc).items():
        try:
            instance = load_instance(path, main, is_root=is_root)
            found = [*certificate_problems(instance), *conflicts(instance, instances.values())]
            if any(not problem.is_warning for problem in found):
                raise ConfError([*instance.warnings, *found])
            instance = replace(instance, warnings=(*instance.warnings, *found))
        except ConfError as error:
            failures[name] = error
            problems += error.problems
        else:
            instances[name] = instance
            problems += instance.warnings
    return Loaded(main, instances, failures, tuple(problems))
