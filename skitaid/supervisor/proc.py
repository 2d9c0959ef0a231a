"""What /proc tells of a process. 0 where it does not tell: the process is gone, or the system has none."""

from __future__ import annotations

import os

__all__ = ["cpu_seconds", "rss_bytes"]


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def cpu_seconds(pid: int) -> float:
    """Processor time used so far."""
    try:
        # Behind the program's name, which stands in brackets and may hold anything.
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(2000)
