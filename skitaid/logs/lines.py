"""The line format of every skitaid log but the request log, and the file such lines are appended to.

A line is `YYYY.MM.DD HH:MM:SS [type:id] text`, local time. What does not print is escaped, so nobody can forge a line
by sending a newline. A block (a traceback) continues on lines that start with four blanks, which no record does.

A `LogFile` never raises out of a write: a full disk or a missing folder costs log lines, never the service. What was
lost is counted and said once the file can be written again.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable

from skitaid.logs import rotation

__all__ = ["LogFile", "escape", "format_block", "format_line", "timestamp"]

KEEP_DEFAULT = 14
"""Rotated files kept: two weeks of daily rotation."""
RETRY_OPEN_S = 1.0
"""A file that could not be opened is tried again by a write, at most this often."""

_CONTINUATION = b"    "
_CONTINUED = f" \\\n{_CONTINUATION.decode()}"


def escape(text: str) -> str:
    """`text` with everything that does not print written as Python would (`\\n`, `\\x1b`, `\\u2028`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def timestamp(now: float) -> str:
    """`now` (seconds since the epoch) as `YYYY.MM.DD HH:MM:SS` in local time."""
    return time.strftime("%Y.%m.%d %H:%M:%S", time.localtime(now))


def format_block(now: float, kind: str, lines: Iterable[str], identifier: str = "") -> bytes:
    """One record over several lines: each but the last ends with a backslash, each but the first is indented."""
    mark = f"{kind}:{identifier}" if identifier else kind
    text = _CONTINUED.join(escape(line) for line in lines)
    return f"{timestamp(now)} [{escape(mark)}] {text}\n".encode()


def format_line(now: float, kind: str, text: str, identifier: str = "") -> bytes:
    """One record on one line, newline included; a newline inside `text` is escaped."""
    return format_block(now, kind, (text,), identifier)


class LogFile:
    """A file that whole lines are appended to, by several threads and processes at once.

    `echo`: lines are written to standard error too (a foreground run), each record behind `label`, as several sites may
    write there. `mode` and `owner` (uid, gid) are given to a
    file that is created; `owner` also to one that is there and belongs to somebody else, if we are root. The folder
    is made when it is missing. The descriptor's number never changes: a reopened file takes it over, so a thread in
    the middle of a write can't meet a number that became a socket.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        echo: bool = False,
        mode: int = 0o640,
        owner: tuple[int, int] | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.lost_lines = 0
        self.label = b""
        self._echo = echo
        self._mode = mode
        self._owner = owner
        self._copies: tuple[int, ...] = ()
        self._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._is_open = False
        self._is_torn = False
        self._reason = ""
        self._next_try = 0.0
        self._day = ""
        self.reopen()

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def reason(self) -> str:
        """Why the last line was lost or the file could not be opened or rotated; "" when all is well."""
        return self._reason

    def fileno(self) -> int:
        return self._fd

    def write(self, kind: str, text: str, identifier: str = "") -> None:
        """Append `YYYY.MM.DD HH:MM:SS [kind:identifier] text`. Never raises OSError."""
        self.write_raw(format_line(time.time(), kind, text, identifier))

    def write_block(self, kind: str, lines: Iterable[str], identifier: str = "") -> None:
        """Append one record of several lines, kept together."""
        self.write_raw(format_block(time.time(), kind, lines, identifier))

    def write_traceback(self, identifier: str = "", *, error: BaseException | None = None) -> None:
        """Append `error` (default: the one being handled) as type `expt`: the error first, then where it happened."""
        import traceback  # not resident: most processes never need it

        error = error if error is not None else sys.exception()
        if error is None:
            self.write("expt", "no exception is being handled", identifier)
            return
        summary = " ".join("".join(traceback.format_exception_only(error)).split("\n")).strip()
        self.write_block("expt", [summary, *"".join(traceback.format_exception(error)).splitlines()], identifier)

    def write_raw(self, data: bytes) -> bool:
        """Append `data`, whole lines with their newlines, by one write. False: it was lost, and counted."""
        if self._echo:
            self._show(data)
        if not self._is_open and not self._try_again():
            return self._lose(data, self._reason)
        notice = self._notice() if self.lost_lines or self._is_torn else b""
        try:
            written = os.write(self._fd, notice + data)
        except OSError as error:
            return self._lose(data, error.strerror or str(error))
        if written < len(notice) + len(data):
            self._is_torn = True
            return self._lose(data, "the disk is full or a size limit was met")
        if notice:
            self.lost_lines, self._is_torn, self._reason = 0, False, ""
        return True

    def reopen(self) -> bool:
        """Open `path` anew. When that fails the old file stays in use: False, and `reason` says why."""
        try:
            fresh = self._open()
        except OSError as error:
            self._reason = f"cannot open {self.path}: {error.strerror or error}"
            return False
        if not os.path.sameopenfile(fresh, self._fd):
            self._is_torn = False  # the line without an end is in the other file
        os.dup2(fresh, self._fd, inheritable=False)
        os.close(fresh)
        for copy in self._copies:
            os.dup2(self._fd, copy, inheritable=True)
        self._is_open = True
        self._day = self._day_of_content()
        return True

    def reopen_if_moved(self) -> bool:
        """Reopen when `path` no longer names the open file (rotated by somebody). True: it was reopened."""
        try:
            there = os.stat(self.path)
            here = os.fstat(self._fd)
        except OSError:
            return self.reopen()
        if self._is_open and (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev):
            return False
        return self.reopen()

    def rotate(self, keep: int = KEEP_DEFAULT, now: float | None = None) -> bool:
        """Rename the file to `path.YYYY-MM-DD`, drop the oldest beyond `keep`, begin a new one. True: renamed.

        An empty file is reopened only. A failure is written to the log, and the old file goes on.
        """
        self.reopen_if_moved()
        if not self._is_open or not os.fstat(self._fd).st_size:
            return False
        outcome = rotation.perform(self.path, day=self._day or rotation.day_of(now), keep=keep)
        self.reopen()
        for text in outcome.errors:
            self.write("error", text, "rotate")
        return bool(outcome.target)

    def rotate_daily(self, keep: int = KEEP_DEFAULT, now: float | None = None) -> bool:
        """`rotate` when the file's lines belong to an earlier day than `now`; to be called about once a second."""
        today = rotation.day_of(now)
        if not rotation.is_due(self._day, today):
            return False
        is_renamed = self.rotate(keep, now)
        self._day = today
        return is_renamed

    def take_over(self, *descriptors: int) -> None:
        """Let `descriptors` (1 and 2) lead into this file, now and after every reopening."""
        self._copies = descriptors
        for descriptor in descriptors:
            os.dup2(self._fd, descriptor, inheritable=True)

    def close(self) -> None:
        """Close the file; later writes are lost and counted. Descriptors taken over stay as they are."""
        self._copies = ()
        self._is_open = False
        self._next_try = float("inf")
        self._reason = f"{self.path} was closed"
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, self._fd, inheritable=False)
        os.close(null)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            fd = os.open(self.path, flags)
        except FileNotFoundError:
            fd = self._create(flags)
        # O_NONBLOCK is for the opening alone: a fifo without a reader must not hang a daemon.
        os.set_blocking(fd, True)
        if self._owner is not None:
            self._hand_over(fd, self._owner)
        return fd

    def _create(self, flags: int) -> int:
        folder = os.path.dirname(self.path)
        if folder:
            os.makedirs(folder, 0o755, exist_ok=True)
        try:
            return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, self._mode)
        except FileExistsError:
            return os.open(self.path, flags)  # another process was quicker

    def _hand_over(self, fd: int, owner: tuple[int, int]) -> None:
        """Give the file to the user the workers run as. Not through a symbolic or a second hard link: in a folder
        that user can write to, such a link could name any file of the machine."""
        found = os.fstat(fd)
        named = os.lstat(self.path)
        is_plain = stat.S_ISREG(named.st_mode) and named.st_nlink == 1 and named.st_ino == found.st_ino
        if is_plain and (found.st_uid, found.st_gid) != owner and os.geteuid() == 0:
            os.fchown(fd, *owner)

    def _day_of_content(self) -> str:
        found = os.fstat(self._fd)
        return rotation.day_of(found.st_mtime if found.st_size else None)

    def _try_again(self) -> bool:
        if time.monotonic() < self._next_try:
            return False
        self._next_try = time.monotonic() + RETRY_OPEN_S
        return self.reopen()

    def _lose(self, data: bytes, reason: str) -> bool:
        self.lost_lines += data.count(b"\n")
        self._reason = reason
        return False

    def _notice(self) -> bytes:
        """What goes before the first line after a loss; a torn line is ended first."""
        lead = b"\n" if self._is_torn else b""
        return lead + format_line(time.time(), "warn", f"{self.lost_lines} lines were lost: {self._reason}", "log")

    def _show(self, data: bytes) -> None:
        if self.label:
            lines = data.splitlines(keepends=True)
            data = b"".join(line if line.startswith(_CONTINUATION) else self.label + line for line in lines)
        try:
            os.write(2, data)
        except OSError:
            self._echo = False  # the terminal went away; the file remains
