"""The conf files as the supervisor sees them: which are there, whether they changed, what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skitaid.config.load import ENABLED, instance_files, load_all
from skitaid.config.model import Instance, Main
from skitaid.exceptions import ConfError, Problem
from skitaid.supervisor import plan

__all__ = ["Complaints", "Confs", "Reading", "Verdict"]

MAIN_FILES = ("skitaid.conf", "skitaid.yaml")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a conf file amounts to: an `instance`, or None and the `problems`."""

    instance: Instance | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """skitaid.conf, a verdict on each instance that has a file, and the warnings about all."""

    main: Main
    verdicts: Mapping[str, Verdict]
    warnings: tuple[Problem, ...] = ()


class _Watch:
    """A set of files, looked at again and again."""

    def __init__(self) -> None:
        self._known: plan.Files = {}
        self._before: plan.Files = {}

    def take(self, files: plan.Files, name: str | None = None) -> plan.Plan:
        """What is there counts at once (or `name` alone), because a person asked; what that changes."""
        settled = files if name is None else _with(self._known, files, name)
        changes, self._known = plan.diff(self._known, settled), settled
        return changes

    def look(self, files: plan.Files) -> plan.Plan:
        settled = plan.settle(self._known, self._before, files)
        changes, self._known, self._before = plan.diff(self._known, settled), settled, files
        return changes


class Complaints(Protocol):
    """Where it is told that the folder of confs cannot be read."""

    def error(self, text: str) -> None:
        """Tell whoever looks after the confs."""


class Confs:
    """The conf files of `etc`. `changes` and `main_changed` are to be called once a second."""

    def __init__(self, etc: Path, journal: Complaints) -> None:
        self._etc = etc
        self._journal = journal
        self._complaint = ""
        self._seen: plan.Files = {}
        self._instances, self._main = _Watch(), _Watch()
        self.take()

    def names(self) -> frozenset[str]:
        """Every instance that has a conf file now."""
        return frozenset(self._files())

    def take(self, name: str | None = None) -> plan.Plan:
        """What is there now, or the file of `name` alone, counts at once."""
        self._main.take(self._main_file())
        return self._instances.take(self._files(), name)

    def changes(self) -> plan.Plan:
        """Instances whose files came, went or changed since the last call."""
        return self._instances.look(self._files())

    def main_changed(self) -> bool:
        """Has skitaid.conf come, gone or changed since the last call?"""
        return not self._main.look(self._main_file()).is_idle

    def read(self) -> Reading:
        """Everything, anew. Raises ConfError when skitaid.conf is wrong."""
        loaded = load_all(self._etc)
        verdicts = {name: Verdict(instance) for name, instance in loaded.instances.items()}
        verdicts |= {name: Verdict(None, error.problems) for name, error in loaded.failures.items()}
        return Reading(loaded.main, verdicts, tuple(p for p in loaded.problems if p.is_warning))

    def _main_file(self) -> plan.Files:
        return plan.look({name: self._etc / name for name in MAIN_FILES})

    def _files(self) -> plan.Files:
        """The files that count; those of before while the folder cannot be read or is gone, which is said once."""
        try:
            self._seen, complaint = plan.look(self._list()), ""
        except ConfError as error:
            complaint = f"{error}; what runs goes on"
        if complaint and complaint != self._complaint:
            self._journal.error(complaint)
        self._complaint = complaint
        return self._seen

    def _list(self) -> Mapping[str, Path]:
        """The enabled conf files by instance. Raises ConfError, also for a folder that was there before and is gone:
        whoever replaces it as a whole does not mean to stop every site."""
        listed = instance_files(self._etc)
        folder = self._etc / ENABLED
        if not listed and self._seen and not folder.is_dir():
            raise ConfError([Problem(str(folder), 0, "the folder is gone")])
        return listed


def _with(known: plan.Files, files: plan.Files, name: str) -> plan.Files:
    rest = {each: stamp for each, stamp in known.items() if each != name}
    return rest | {name: files[name]} if name in files else rest
