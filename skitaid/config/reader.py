"""The conf language: bytes to sections, keys and lines, each with its line number.

`[section]` holds `key = value`; `[section:line]` holds ordered lines. `;` or `#` at the start of a line is a comment,
a blank and `;` after a value starts one too. UTF-8 with or without BOM, LF or CRLF. Nothing here knows what a section
means.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from skitaid.config.document import Document, Entry, Line, Section, Value
from skitaid.config.quoting import split_items, strip_comment, unquote
from skitaid.config.report import Report

__all__ = ["decode", "read_bytes", "read_conf", "read_document", "read_text"]

MAX_BYTES = 1 << 20
"""Far above any conf written by hand: whatever is larger is not a conf."""

LINES_SUFFIX = ":line"
LINE_SECTIONS = frozenset({"routes", "crontab"})
RAW_SECTIONS = frozenset({"crontab"})
"""Sections whose lines are handed on as written: a shell command may well hold ` ;`."""
_SECRET = re.compile(r"\W*\w*(password|passphrase|secret|token)\w*", re.IGNORECASE)
"""What a line begins with whose rest is for nobody to see, also in a file that is no conf."""
_YAML_KEY = re.compile(r"[\w-]+:(\s|$)")


def read_document(path: Path, report: Report) -> Document:
    """Read a conf or, by its suffix, a YAML file. Problems go to `report`; what could be read is returned."""
    data = read_bytes(path, report)
    text = decode(data, report) if data is not None else ""
    return read_text(text, path, report)


def read_text(text: str, path: Path, report: Report) -> Document:
    """Parse text as what the suffix of `path` says it is."""
    if path.suffix != ".yaml":
        return read_conf(text, report)
    try:
        from skitaid.config.yamlreader import read_yaml  # imported late: PyYAML is large, and mostly not needed
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        report.error(0, "is YAML, but PyYAML is not installed", "install pyyaml, or write it as a .conf file")
        return Document(report.path)
    return read_yaml(text, report)


def read_bytes(path: Path, report: Report) -> bytes | None:
    """The contents of a regular file, or None with a problem in `report`."""
    try:
        # O_NONBLOCK: a named pipe that somebody put here must not stop the daemon
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        report.error(0, _why_unreadable(path, error), _how_readable(error))
        return None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            report.error(0, f"is {what}: expected a text file", "remove it or give it another ending")
            return None
        data = os.read(descriptor, MAX_BYTES + 1)
    except OSError as error:
        report.error(0, _why_unreadable(path, error))
        return None
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        report.error(0, f"is larger than {MAX_BYTES} bytes: expected a conf file", "remove it from this folder")
        return None
    return data


def _why_unreadable(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return f"is a link to {os.readlink(path)}, which does not exist"
        return "there is no such file"
    if isinstance(error, PermissionError):
        return f"no permission to read it (user id {os.geteuid()})"
    return f"cannot be read: {error.strerror}"


def _how_readable(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "chown or chmod it, or start skitaid as a user who may read it"
    return ""


def decode(data: bytes, report: Report) -> str:
    """UTF-8 text without its BOM; "" with a problem in `report` when it is something else."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        report.error(1, "is UTF-16 text: expected UTF-8", "save the file as UTF-8")
        return ""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report.error(line, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        return ""
    return text.removeprefix("\ufeff")


def read_conf(text: str, report: Report) -> Document:
    """Parse conf text. A line that cannot be understood is reported and skipped, the rest is still read."""
    return _ConfReader(report).read(text)


class _ConfReader:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._sections: dict[str, Section] = {}
        self._section: Section | None = None
        self._is_skipping = False
        self._entries: dict[str, Entry] = {}
        self._lines: list[Line] = []

    def read(self, text: str) -> Document:
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if line and line[0] not in ";#":
                self._take(line, number)
        self._close()
        return Document(self._report.path, self._sections)

    def _take(self, line: str, number: int) -> None:
        if any(ord(char) < 32 and char != "\t" for char in line):
            self._report.error(number, "holds a control character", "remove it; is this a text file?")
        elif line[0] == "[":
            self._open(strip_comment(line), number)
        elif self._section is None:
            if not self._is_skipping:
                fix = "a file of YAML is named .yaml" if _YAML_KEY.match(line) else "write [server] above it"
                self._report.error(number, f"{_brief(line)} stands before any section", fix)
        elif self._section.has_lines:
            is_raw = self._section.name in RAW_SECTIONS
            self._lines.append(Line(line if is_raw else strip_comment(line), number))
        else:
            self._add_entry(line, number)

    def _open(self, header: str, number: int) -> None:
        self._close()
        self._is_skipping = True
        name = header[1:-1].strip()
        has_lines = name.endswith(LINES_SUFFIX) or name in LINE_SECTIONS
        if name in LINE_SECTIONS:
            self._report.error(number, f"[{name}] holds lines, not keys", f"write [{name}{LINES_SUFFIX}]")
        name = name.removesuffix(LINES_SUFFIX).strip()
        if header[-1] != "]" or not name:
            self._report.error(number, f"{_brief(header)} is not a section: expected [name] or [name:line]")
        elif name in self._sections:
            first = self._sections[name].line
            self._report.error(number, f"section [{name}] is already at line {first}", "merge the two")
        else:
            self._section = Section(name, number, has_lines)

    def _close(self) -> None:
        opened = self._section
        if opened is not None:
            entries = tuple(self._entries.values())
            self._sections[opened.name] = Section(
                opened.name, opened.line, opened.has_lines, entries, tuple(self._lines)
            )
        self._section, self._entries, self._lines = None, {}, []

    def _add_entry(self, line: str, number: int) -> None:
        assert self._section is not None
        key, equals, rest = line.partition("=")
        key, where = key.strip(), f"[{self._section.name}]"
        if not equals or not key:
            self._report.error(number, f"{where} {_brief(line)}: expected key = value", _comment_hint(line))
        elif key in self._entries:
            first = self._entries[key].line
            self._report.error(number, f"{where} {key} is already set at line {first}", "keep one of the two")
        else:
            raw = strip_comment(rest)
            self._entries[key] = Entry(key, Value(unquote(raw), split_items(raw), number))


def _brief(line: str) -> str:
    """The start of a line, enough to find it; of a secret its name alone, as problems stand in logs."""
    secret = _SECRET.match(line)
    if secret is not None:
        return repr(f"{secret[0]}…")
    return repr(line if len(line) <= 24 else f"{line[:20]}…")


def _comment_hint(line: str) -> str:
    return "a comment starts with ; or #" if line.startswith(("//", "--", "/*")) else ""
