"""Measuring: servers side by side, in turns, each sample with a look at who else used the cores."""

from __future__ import annotations

import http.client
import os
import ssl
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.load import Load, LoadError, ask_h2, run
from benchmarks.machine import Cores, Reading, foreign_share, read, wait_quiet
from benchmarks.servers import SERVERS, Place, Running, StartError, free_port, start

__all__ = ["Bench", "Figure", "Plan", "Sample", "check_answer", "progress", "summary"]

CLEAN_SHARE = 0.06
"""A sample counts as undisturbed when nobody else used more than this much of either core."""
PATIENCE_S = 4.0
BACKEND = "backend"
WARM_UP_S = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One run against one server. `cost_us`: processor time of the server for one request, in microseconds; None
    where several kinds of requests share it. `p50_ms`, `p99_ms`: None where the load tells none. `server_share`,
    `load_share`: how much of its core each used."""

    rps: float
    p50_ms: float | None
    p99_ms: float | None
    refused: int
    broken: int
    cost_us: float | None
    server_share: float
    load_share: float
    foreign: float

    @property
    def is_clean(self) -> bool:
        return self.foreign <= CLEAN_SHARE


@dataclass(frozen=True, slots=True)
class Figure:
    """The medians of one server's samples; `is_clean` when they come from undisturbed samples alone."""

    rps: float
    p50_ms: float | None
    p99_ms: float | None
    refused: int
    broken: int
    cost_us: float | None
    spread: float
    load_share: float
    samples: int
    is_clean: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`rounds` turns of `seconds` each, and up to `max_extra` more where samples were disturbed."""

    cores: Cores
    rounds: int = 3
    seconds: int = 1
    max_extra: int = 3


def summary(samples: Sequence[Sample], wanted: int) -> Figure:
    """Medians over the undisturbed samples when there are two of them or more (one, if one was wanted), else over
    the `wanted` least disturbed ones."""
    clean = [sample for sample in samples if sample.is_clean]
    is_clean = len(clean) >= min(2, wanted)
    used = clean if is_clean else sorted(samples, key=lambda sample: sample.foreign)[:wanted]
    rates = [sample.rps for sample in used]
    rps = statistics.median(rates)
    return Figure(
        rps=rps,
        p50_ms=_median([sample.p50_ms for sample in used]),
        p99_ms=_median([sample.p99_ms for sample in used]),
        refused=sum(sample.refused for sample in used),
        broken=sum(sample.broken for sample in used),
        cost_us=_median([sample.cost_us for sample in used]),
        spread=(max(rates) - min(rates)) / rps if rps else 0.0,
        load_share=statistics.median(sample.load_share for sample in used),
        samples=len(used),
        is_clean=is_clean,
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


@dataclass(slots=True)
class Bench:
    """Runs cases. Servers that were started stay until the end: they cost nothing while nobody asks them anything.
    `backend`: what stands behind proxies."""

    plan: Plan
    folder: Path
    static: Path
    running: dict[str, Running] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    left_s: float = 0.0

    @contextmanager
    def cleaned_up(self) -> Iterator[Bench]:
        """Ends every server at the end, however that comes."""
        try:
            yield self
        finally:
            for running in self.running.values():
                running.stop()

    def measure(self, case: Case, keys: Sequence[str], spare_s: float = 0.0) -> dict[str, list[Sample]]:
        """Samples of each of the servers `keys`, taken in turns, with `spare_s` for waiting and repeating. A server
        that does not serve the case is left out, and `absent` says why."""
        self.left_s = spare_s
        servers = [running for key in keys if (running := self.serving(key, case)) is not None]
        samples: dict[str, list[Sample]] = {running.server.key: [] for running in servers}
        for turn in range(self.plan.rounds + self.plan.max_extra):
            for running in servers:
                found = samples[running.server.key]
                if turn < self.plan.rounds:
                    found.append(self.sample(running, case.loads))
                elif self.has_spare and sum(sample.is_clean for sample in found) < self.plan.rounds:
                    with self._spending():
                        found.append(self.sample(running, case.loads))
        return samples

    @property
    def has_spare(self) -> bool:
        """Whether this case has time left for waiting and repeating."""
        return self.left_s > 0

    @contextmanager
    def _spending(self) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.left_s -= time.monotonic() - begun

    def serving(self, key: str, case: Case) -> Running | None:
        """The server, started, and seen to answer what the case asks."""
        try:
            running = self.running.get(key) or self._start(key)
            check_answer(running, case.loads[0])
            if case.key not in running.warmed:
                running.warmed.add(case.key)
                run(case.loads[:1], running.port, WARM_UP_S, self.plan.cores)
        except (StartError, LoadError) as error:
            self.absent[f"{case.key}: {SERVERS[key].label}"] = str(error)
            return None
        return running

    def sample(self, running: Running, loads: Sequence[Load]) -> Sample:
        """One run, when the machine is quiet or patience is over. Raises LoadError."""
        with self._spending():
            wait_quiet(self.plan.cores, PATIENCE_S if self.has_spare else 0.0)
        before = self._read(running)
        outcomes = run(loads, running.port, self.plan.seconds, self.plan.cores)
        after = self._read(running)
        running.empty_logs()
        passed = after.at - before.at
        main = outcomes[0]
        used_s = after.server - before.server
        has_cost = len(loads) == 1 and not running.server.is_load
        return Sample(
            rps=main.rps,
            p50_ms=main.p50_ms,
            p99_ms=main.p99_ms,
            refused=sum(outcome.refused for outcome in outcomes),
            broken=sum(outcome.broken for outcome in outcomes),
            cost_us=used_s / main.requests * 1e6 if has_cost and main.requests else None,
            server_share=used_s / passed,
            load_share=(after.children - before.children) / passed,
            foreign=foreign_share(before, after, self.plan.cores),
        )

    def _read(self, running: Running) -> Reading:
        """What is on the core of the load counts as load."""
        if running.server.is_load:
            return read(os.getpid(), running.pid)
        backend = self.running[BACKEND].pid if running.server.is_proxy else None
        return read(running.pid, backend)

    def _start(self, key: str) -> Running:
        server = SERVERS[key]
        behind = (self.running.get(BACKEND) or self._start(BACKEND)).port if server.is_proxy else 0
        name = key.replace("/", "-")
        place = Place(free_port(), self.folder / f"{name}-{len(self.running)}", self.static, behind)
        running = self.running[key] = start(server, place, self.plan.cores)
        return running


def _connection(port: int, scheme: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    context = ssl.create_default_context()
    # A certificate of our own, made a moment ago.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)


def check_answer(running: Running, load: Load) -> None:
    """Raises StartError when the server does not answer 200: a fast error page is no figure. Raises LoadError."""
    if load.streams:
        if not ask_h2(running.port, load.path):
            raise StartError(f"GET {load.path} by HTTP/2 without TLS is not answered 2xx")
        return
    connection = _connection(running.port, load.scheme)
    try:
        connection.request("GET", load.path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise StartError(f"GET {load.path} failed: {error}") from error
    finally:
        connection.close()
    if status != 200:
        raise StartError(f"GET {load.path} is answered {status}, expected 200")


def progress(text: str) -> None:
    """Where the run stands; standard output is for results."""
    print(text, file=sys.stderr, flush=True)
