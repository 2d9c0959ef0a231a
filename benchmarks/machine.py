"""What the machine did: processor time by core and by process, memory, and whether it was quiet."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Cores",
    "Reading",
    "cpu_seconds",
    "foreign_share",
    "parse_busy",
    "parse_pss",
    "pinned",
    "process_tree",
    "pss_mb",
    "raise_descriptor_limit",
    "read",
    "wait_quiet",
]

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
QUIET_SHARE = 0.08
"""A core is quiet when less of it is in use; kernel threads alone make one or two per cent."""
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which makes the load. The same one on a machine with a single core."""

    server: int
    load: int

    @property
    def are_apart(self) -> bool:
        return self.server != self.load

    @classmethod
    def of_machine(cls) -> Cores:
        """The first two that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[min(1, len(usable) - 1)])


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment, in seconds: the clock, each core's busy time, a server's and our children's."""

    at: float
    busy: dict[int, float]
    server: float
    children: float


def read(server_pid: int, backend_pid: int | None = None) -> Reading:
    """All counters, now. A backend that the load is for counts as load: it is on that core."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = parse_busy(Path("/proc/stat").read_text())
    load = usage.ru_utime + usage.ru_stime
    if backend_pid is not None:
        load += cpu_seconds(process_tree(backend_pid))
    return Reading(time.monotonic(), busy, cpu_seconds(process_tree(server_pid)), load)


def foreign_share(before: Reading, after: Reading, cores: Cores) -> float:
    """How much of the worse of the two cores somebody else used between two readings: 0 to 1. What the hypervisor
    took counts as somebody else."""
    passed = after.at - before.at
    ours = {cores.server: after.server - before.server}
    ours[cores.load] = ours.get(cores.load, 0.0) + after.children - before.children
    shares = [(after.busy[core] - before.busy[core] - own) / passed for core, own in ours.items()]
    return max(0.0, *shares)


def parse_busy(stat: str) -> dict[int, float]:
    """`/proc/stat` to seconds that each core was not idle."""
    found = {}
    for number, text in re.findall(r"^cpu(\d+) (.*)$", stat, re.MULTILINE):
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, text.split()[:8])
        found[int(number)] = (user + nice + system + irq + softirq + steal) * TICK_S
    return found


def wait_quiet(cores: Cores, limit_s: float) -> bool:
    """Wait until nobody uses the two cores; False after `limit_s`."""
    end = time.monotonic() + limit_s
    while True:
        before = read(os.getpid())
        time.sleep(LOOK_S)
        after = read(os.getpid())
        busiest = max(after.busy[core] - before.busy[core] for core in {cores.server, cores.load})
        if busiest / (after.at - before.at) < QUIET_SHARE:
            return True
        if after.at >= end:
            return False


def process_tree(pid: int) -> list[int]:
    """A process and all below it, as far as they are still there."""
    found = [pid]
    for pid_of_level in found:
        try:
            threads = os.listdir(f"/proc/{pid_of_level}/task")
            for thread in threads:
                found += map(int, Path(f"/proc/{pid_of_level}/task/{thread}/children").read_text().split())
        except OSError:
            continue
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


def pss_mb(pid: int) -> float:
    """Memory of one process, each shared page divided by the number of its sharers, in megabytes of 2**20."""
    return parse_pss(Path(f"/proc/{pid}/smaps_rollup").read_text())


def parse_pss(rollup: str) -> float:
    """`smaps_rollup` to megabytes."""
    match = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    if match is None:
        raise ValueError("smaps_rollup has no Pss line; expected 'Pss: N kB'")
    return int(match[1]) / 1024


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on `core`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """As many descriptors as may be had, for us and what we start. Gives the number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
