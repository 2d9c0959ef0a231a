"""`[routes:line]` and the option sections `[/js]`, `[host/js]`: lines to hosts and their mounts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skitaid.config.addresses import host_name
from skitaid.config.document import Line, Section
from skitaid.config.model import Certificate, Host, Mount, MountOptions, Origin, StaticTarget
from skitaid.config.quoting import unquote
from skitaid.config.report import UnfitError, did_you_mean
from skitaid.config.schema import MOUNT, names
from skitaid.config.take import Context, Given, collect, fill
from skitaid.config.targets import parse_target
from skitaid.config.tls import host_certificate

__all__ = ["DEFAULT_HOST", "build_hosts", "is_mount_section"]

DEFAULT_HOST = "default"
CONFIG_PREFIX = "config."


@dataclass(slots=True)
class _Block:
    """A host while its lines are being read. `given`: options by mount path, for what lies below to inherit.
    `refused`: mount points whose line is wrong; their options are no mistake of their own."""

    names: tuple[str, ...]
    line: int
    mounts: list[Mount] = field(default_factory=list)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        return " ".join(self.names) or DEFAULT_HOST

    def answers_to(self, name: str) -> bool:
        return name in self.names or (not self.names and name in ("", DEFAULT_HOST))


def is_mount_section(name: str) -> bool:
    return "/" in name and not name.startswith("@")


def build_hosts(context: Context, alias_types: Mapping[str, str], *, is_tls: bool = False) -> tuple[Host, ...]:
    """The hosts with their mounts and options, in file order. `alias_types`: type by name of every alias. Without
    `is_tls` the files of their certificates are not looked at."""
    blocks = _RoutesReader(context, alias_types).read()
    sections = [section for name, section in context.document.sections.items() if is_mount_section(name)]
    # a shorter path first: what lies below it inherits
    for section in sorted(sections, key=lambda section: len(section.name)):
        _apply_options(context, section, blocks)
    return tuple(_host(context, block, is_tls=is_tls) for block in blocks if block.mounts or block.names)


def _host(context: Context, block: _Block, *, is_tls: bool) -> Host:
    if not block.mounts and not context.report.has_errors:
        context.report.warn(block.line, f"[routes] host {block.label} has no mounts: it answers 404 to everything")
    certificate = _own_certificate(context, block, is_tls=is_tls)
    return Host(block.names, tuple(block.mounts), Origin(context.place.path, block.line), certificate)


def _own_certificate(context: Context, block: _Block, *, is_tls: bool) -> Certificate | None:
    """The section of a host may be called by any of its names, and counts for all of them."""
    sections = [section for name, section in context.document.sections.items() if name.lower() in block.names]
    if len(sections) > 1:
        first, second = sorted(sections, key=lambda section: section.line)[:2]
        text = f"[{second.name}] is the same host as [{first.name}] at line {first.line}"
        context.report.error(second.line, text, "keep one of the two")
    return host_certificate(context, sections[0].name, is_tls=is_tls) if sections else None


# ---------------------------------------------------------------- lines


class _RoutesReader:
    def __init__(self, context: Context, alias_types: Mapping[str, str]) -> None:
        self._context = context
        self._report = context.report
        self._alias_types = alias_types
        self._blocks: list[_Block] = []

    def read(self) -> list[_Block]:
        section = self._context.document.get("routes")
        block = self._block((), section.line if section else 0)
        for line in section.lines if section else ():
            if _is_host_line(line.text):
                block = self._host_line(line) or _Block((), line.line)
            else:
                self._mount_line(line, block)
        return self._blocks

    def _block(self, host_names: tuple[str, ...], line: int) -> _Block:
        """The block of these names. The default host may be taken up again, further down."""
        for block in self._blocks:
            if not host_names and not block.names:
                return block
        block = _Block(host_names, line)
        self._blocks.append(block)
        return block

    def _host_line(self, line: Line) -> _Block | None:
        found = []
        for word in re.split(r"[\s,]+", line.text[1:].strip()):
            try:
                found.append(self._host_name(word))
            except UnfitError as error:
                expected = "expected `: default`, `: name name` or `: .domain`"
                self._report.error(line.line, f"[routes] host line: {error.text}; {expected}", error.fix)
                return None
        if DEFAULT_HOST in found:
            return self._default_line(found, line)
        for name in found:
            self._check_new(name, line)
        return self._block(tuple(dict.fromkeys(found)), line.line)

    @staticmethod
    def _host_name(word: str) -> str:
        if not word:
            raise UnfitError("names no host")
        return host_name(word)

    def _default_line(self, found: list[str], line: Line) -> _Block | None:
        if len(found) > 1:
            self._report.error(line.line, "[routes] host line: default beside other names; expected it alone")
            return None
        return self._block((), line.line)

    def _check_new(self, name: str, line: Line) -> None:
        for block in self._blocks:
            if name in block.names:
                text = f"[routes] host {name} already has a host line at line {block.line}"
                self._report.error(line.line, text, "put its mounts there")

    def _mount_line(self, line: Line, block: _Block) -> None:
        path, equals, target = (part.strip() for part in line.text.partition("="))
        if not equals or not path.startswith("/") or not target:
            self._report.error(line.line, f"[routes] {line.text!r}: expected /path = target", _mount_hint(line.text))
            return
        where = f"[routes] {path} = {target}"
        path = path.rstrip("/") or "/"
        if not _is_mount_path(path):
            self._report.error(line.line, f"{where}: expected a path as in a URL, such as /shop", "without ? # and ..")
            return
        try:
            found = parse_target(unquote(target), self._context.place, self._alias_types)
        except UnfitError as error:
            expected = "expected a folder, module:callable or @alias"
            self._report.error(line.line, f"{where}: {error.text}; {expected}", error.fix)
            block.refused.add(path)
            return
        mount = Mount(path, found, origin=Origin(self._context.place.path, line.line))
        self._warn_if_hidden(mount, block)
        block.mounts.append(mount)

    def _warn_if_hidden(self, mount: Mount, block: _Block) -> None:
        for other in block.mounts:
            is_same = type(other.target) is type(mount.target) and other.path == mount.path
            if is_same and not isinstance(mount.target, StaticTarget):
                text = f"[routes] {mount.path} is already served by line {other.origin.line}: this line never answers"
                self._report.warn(mount.origin.line, text, "remove one of the two")


def _is_host_line(text: str) -> bool:
    return text[0] == ":" or (text[0] == "@" and "=" not in text)


def _mount_hint(text: str) -> str:
    path = text.partition("=")[0].strip()
    if text.startswith("[") or not text:
        return ""
    if "=" in text and path and not path.startswith("/"):
        return f"did you mean /{path}? A host line is `: {path}`"
    return "a host line starts with a colon" if "=" not in text else ""


def _is_mount_path(path: str) -> bool:
    is_plain = "//" not in path and not {".", ".."} & set(path.split("/"))
    return is_plain and not re.search(r"[\s?#\"'%\\]", path)


# ---------------------------------------------------------------- options


def _apply_options(context: Context, section: Section, blocks: list[_Block]) -> None:
    host, slash, rest = section.name.partition("/")
    path = f"/{rest}".rstrip("/") or slash
    block = next((block for block in blocks if block.answers_to(host.lower())), None)
    if block is None:
        known = [name for found in blocks for name in found.names or (DEFAULT_HOST,)]
        text = f"[{section.name}]: no host line names {host}"
        context.report.error(section.line, text, did_you_mean(host, known))
        return
    given = _read_options(context, section)
    parent = _parent_mount(block, path)
    if any(mount.path == path for mount in block.mounts):
        block.given[path] = given
        options = _options(context, section, given)
        block.mounts[:] = [replace(each, options=options) if each.path == path else each for each in block.mounts]
    elif parent is not None:
        _mount_subfolder(context, section, block, parent, given)
    elif path not in block.refused:
        _report_no_mount(context, section, path, blocks)


def _mount_subfolder(context: Context, section: Section, block: _Block, parent: Mount, own: Mapping[str, Any]) -> None:
    """Options for a folder inside a static mount make it a mount of its own, which inherits the rest."""
    assert isinstance(parent.target, StaticTarget)
    path = "/" + section.name.partition("/")[2].rstrip("/")
    folder = parent.target.root / path[len(parent.path) :].lstrip("/")
    block.given[path] = {**block.given.get(parent.path, {}), **own}
    options = _options(context, section, block.given[path])
    block.mounts.append(Mount(path, StaticTarget(folder), options, options.origin))


def _options(context: Context, section: Section, given: Mapping[str, Any]) -> MountOptions:
    return MountOptions(**given, origin=Origin(context.place.path, section.line))


def _parent_mount(block: _Block, path: str) -> Mount | None:
    """The longest static mount above `path` whose folder has that path in it."""
    found = None
    for mount in block.mounts:
        base = mount.path.rstrip("/")
        is_above = isinstance(mount.target, StaticTarget) and path.startswith(f"{base}/")
        if is_above and (found is None or len(mount.path) > len(found.path)):
            assert isinstance(mount.target, StaticTarget)
            if os.path.isdir(mount.target.root / path[len(base) + 1 :]):
                found = mount
    return found


def _report_no_mount(context: Context, section: Section, path: str, blocks: list[_Block]) -> None:
    elsewhere = [block.label for block in blocks if any(mount.path == path for mount in block.mounts)]
    if elsewhere:
        fix = f"host {elsewhere[0]} has one: write [{elsewhere[0].split()[0]}{path}]"
    else:
        fix = did_you_mean(path, dict.fromkeys(mount.path for block in blocks for mount in block.mounts))
    context.report.error(section.line, f"[{section.name}]: nothing is mounted at {path}", fix)


def _read_options(context: Context, section: Section) -> dict[str, Any]:
    config = {}
    known = names(MOUNT)
    for entry in section.entries:
        if entry.key.startswith(CONFIG_PREFIX):
            known[entry.key] = entry.key
            config[entry.key.removeprefix(CONFIG_PREFIX)] = entry.value.text
            _check_config_name(context, Given(section.name, entry))
    given = collect(context, {section.name: known})
    options = fill(context, {key: each for key, each in given.items() if key in MOUNT}, MOUNT)
    return {**options, "config": config} if config else options


def _check_config_name(context: Context, given: Given) -> None:
    if not re.fullmatch(r"[^\W\d][\w.]*", given.entry.key.removeprefix(CONFIG_PREFIX)):
        text = f"{given}: expected config.NAME with letters, digits and _ in NAME"
        context.report.error(given.line, text, "rename it")
