"""log: the end of a log file, and what is added to it. Reads files only, so it works without a daemon."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from skitaid.cli.options import UsageError
from skitaid.cli.session import Session
from skitaid.exceptions import RefusedError

TAIL_BYTES = 16 * 1024
FOLLOW_INTERVAL_S = 0.2


def run(session: Session) -> int:
    path = log_file(session)
    if not path.is_file():
        raise RefusedError(f"there is no log {path} yet; {_why_none(session)}")
    if session.options.follow:
        follow(path)
    else:
        write(tail(path))
    return 0


def log_file(session: Session) -> Path:
    """The file that the options mean. Raises RefusedError or UsageError."""
    log_path = session.find_main().global_.log_path
    name, suffix = session.options.name, session.options.log_suffix
    if name is None:
        if suffix != "app":
            raise UsageError(f"-s {suffix} wants an instance: -f NAME log -s {suffix}")
        return log_path / "skitaid.log"
    if session.is_of_agent:
        return session.log_folder(name) / ("stderr.log" if suffix == "stderr" else f"{name}.log")
    folder = log_path / "instances" / name
    if not folder.is_dir():
        session.require_instance()
    return folder / f"{suffix}.log"


def _why_none(session: Session) -> str:
    writer = session.options.name or "the daemon"
    return f"it comes with the first line that {writer} writes; does it run? {session.hint('status')}"


def tail(path: Path, limit_bytes: int = TAIL_BYTES) -> bytes:
    """The last whole lines of a file that fit into `limit_bytes`."""
    with path.open("rb") as file:
        return _tail(file, limit_bytes)


def _tail(file: BinaryIO, limit_bytes: int) -> bytes:
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - limit_bytes - 1))
    data = file.read(end - start)
    if end <= limit_bytes:
        return data
    cut = data.find(b"\n")  # the byte before the limit is looked at too: a line may begin right at it
    return data[cut + 1 :] if 0 <= cut < len(data) - 1 else data[1:]


def last_complaint(folder: Path) -> str:
    """Why an instance cannot go on, by its own words: the last line of stderr.log when that was written last (it did
    not get as far as a log of its own), else the newest fatal line or error of server.log (an agent's
    own log); "" when it said nothing."""
    own = folder / f"{folder.name}.log"
    said, printed = own if own.is_file() else folder / "server.log", folder / "stderr.log"
    if _written_at(printed) > _written_at(said):
        return next((line for line in reversed(_lines(printed)) if line.strip()), "")
    return next((line for line in reversed(_lines(said)) if " [fatal" in line or " [error" in line), "")


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _lines(path: Path) -> list[str]:
    try:
        return tail(path).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def follow(path: Path) -> None:
    """Print the end of `path` and then what is added, until the user has seen enough."""
    with Follower(path) as follower:
        write(follower.tail())
        while True:
            data = follower.read()
            if data:
                write(data)
            else:
                time.sleep(FOLLOW_INTERVAL_S)


class Follower:
    """Reads what is added to a log file: through rotation (another file takes the name), truncation, and the time in
    between when no file has the name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def tail(self) -> bytes:
        return _tail(self._file, TAIL_BYTES)

    def read(self) -> bytes:
        """What was added since the last call, b"" when nothing was. Never waits."""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
        data = self._file.read()
        return data or self._read_successor()

    def _read_successor(self) -> bytes:
        try:
            successor = self._path.open("rb")
        except FileNotFoundError:
            return b""
        if os.path.sameopenfile(successor.fileno(), self._file.fileno()):
            successor.close()
            return b""
        rest = self._file.read()  # written between the last read and the rotation
        self._file.close()
        self._file = successor
        return rest + successor.read()
