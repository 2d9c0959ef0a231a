"""Guestbook entries in a SQLite file, for any number of threads and processes at once.

Each call opens the file and closes it again, so no connection is shared between threads. In WAL mode readers never
wait for the writer; writers wait for each other, `_BUSY_S` seconds at most.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_BUSY_S = 5.0
_KEEP_ENTRIES = 1000
_CREATE = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written_s INTEGER NOT NULL,
    name TEXT NOT NULL,
    message TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """`written_s` is in seconds since 1970, UTC."""

    name: str
    message: str
    written_s: int

    @property
    def written(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.written_s))

    @property
    def machine_time(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.written_s))


@dataclass(frozen=True, slots=True)
class Store:
    """The guestbook in `folder`. Every method raises OSError or sqlite3.Error when the file cannot be used."""

    folder: Path

    def add(self, name: str, message: str) -> None:
        """Writes an entry and forgets the oldest past the last 1000."""
        with closing(self._open()) as database, database:
            database.execute(
                "INSERT INTO entry (written_s, name, message) VALUES (?, ?, ?)", (int(time.time()), name, message)
            )
            database.execute("DELETE FROM entry WHERE id <= (SELECT max(id) FROM entry) - ?", (_KEEP_ENTRIES,))

    def newest(self, count: int) -> list[Entry]:
        with closing(self._open()) as database:
            rows = database.execute("SELECT name, message, written_s FROM entry ORDER BY id DESC LIMIT ?", (count,))
            return [Entry(*row) for row in rows]

    def count(self) -> int:
        with closing(self._open()) as database:
            return int(database.execute("SELECT count(*) FROM entry").fetchone()[0])

    @property
    def _file(self) -> Path:
        return self.folder / "guestbook.db"

    def _open(self) -> sqlite3.Connection:
        if not self._file.exists():
            self._create()
        return sqlite3.connect(self._file, timeout=_BUSY_S)

    def _create(self) -> None:
        # Going to WAL mode does not wait for others as a write does, so those who come first at once take turns. The
        # file gets its name when it is complete: who sees it may use it.
        new = self.folder / "guestbook.new"
        with open(self.folder / "guestbook.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._file.exists():
                return
            new.unlink(missing_ok=True)
            with closing(sqlite3.connect(new)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute(_CREATE)
                database.commit()
            new.rename(self._file)
