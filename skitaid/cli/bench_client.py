"""The process that `bench` starts: many requests with aquests, figures as one line of JSON on standard output.

    python bench_client.py URL REQUESTS CONCURRENCY SECONDS

Run as a file, and imports nothing of skitaid: aquests brings an event loop, a resolver and global state of its own, of
which nothing may get into the daemon. It was written for older names of rs4 and of the standard library; they are
supplied here.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import importlib.abc
import importlib.util
import json
import math
import signal
import socket
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

TIMEOUT_S = 10
FAILURE_CODES = 600
"""aquests gives codes of its own, from here on, to requests that got no response."""


class _MovedModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`rs4.strutil` and others are found where they are today: in rs4.misc."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "rs4" or "." in name or not name:
            return None
        if importlib.util.find_spec(f"rs4.misc.{name}") is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(f"rs4.misc.{spec.name.partition('.')[2]}")

    def exec_module(self, module: ModuleType) -> None:
        """It was executed under its own name."""


class _Quiet:
    """A logger that says nothing: what fails is counted."""

    def __call__(self, *arguments: Any, **named: Any) -> None: ...

    def __getattr__(self, name: str) -> _Quiet:
        return self


class TimeIsUp(BaseException):
    """The time for the whole run is over."""


def load_aquests() -> Any:
    """The package, with what it misses. Raises ImportError."""
    for name in ("Iterable", "Mapping", "MutableMapping", "Sequence", "Callable"):
        # Moved to collections.abc in Python 3.10.
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    sys.meta_path.append(_MovedModules())
    rs4 = importlib.import_module("rs4")
    if not hasattr(rs4, "tc"):
        rs4.tc = importlib.import_module("rs4.termcolor").tc  # type: ignore[attr-defined]
    return importlib.import_module("aquests")


class Run:
    """Counts what comes of the requests."""

    def __init__(self) -> None:
        self.began: dict[int, float] = {}
        self.latencies: list[float] = []
        self.statuses: collections.Counter[str] = collections.Counter()
        self.failures: collections.Counter[str] = collections.Counter()

    def begin(self, meta: dict[str, Any]) -> None:
        self.began[meta["req_id"]] = time.perf_counter()

    def finished(self, response: Any) -> None:
        """Count an answer, or what became of the request instead, and how long it took."""
        took = time.perf_counter() - self.began.pop(response.meta["req_id"])
        code = int(response.status_code)
        if code >= FAILURE_CODES:
            self.failures[str(response.reason)] += 1
        else:
            self.statuses[str(code)] += 1
            self.latencies.append(took)


def watch_begins(aquests: Any, run: Run) -> None:
    """A request is timed from when it is taken from the queue."""
    builder = aquests.request_builder
    make_http = builder.make_http

    def make(*arguments: Any, **named: Any) -> Any:
        run.begin(next(each for each in arguments if isinstance(each, dict) and "req_id" in each))
        return make_http(*arguments, **named)

    builder.make_http = make


def resolved(url: str) -> tuple[str, dict[str, str]]:
    """The URL with an address in place of the name, and the Host that goes with it: aquests asks name servers itself,
    and knows nothing of /etc/hosts. With TLS the name has to stay. Raises OSError when nobody listens there: aquests
    would call that an exception."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (80 if parts.scheme == "http" else 443)
    address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    with socket.create_connection((str(address), port), TIMEOUT_S):
        pass
    if parts.scheme != "http":
        return url, {}
    return urlunsplit(parts._replace(netloc=f"{address}:{port}")), {"Host": parts.netloc.rpartition("@")[2]}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of `ordered` do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def main(arguments: Sequence[str]) -> int:
    url, count, concurrency, seconds = arguments[0], *(int(each) for each in arguments[1:4])
    try:
        target, headers = resolved(url)
        aquests = load_aquests()
    except (OSError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    run = Run()
    aquests.configure(
        concurrency, logger=_Quiet(), callback=run.finished, timeout=TIMEOUT_S, force_http1=True, allow_redirects=False
    )
    watch_begins(aquests, run)
    for _ in range(count):
        aquests.get(target, headers=dict(headers))
    print(json.dumps(measure(aquests, run, count, seconds)))
    return 0


def measure(aquests: Any, run: Run, count: int, seconds: int) -> dict[str, object]:
    """Make the requests, and tell what came of them; times in seconds."""
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(seconds)
    began, cpu = time.perf_counter(), time.process_time()
    is_cut_short = False
    try:
        aquests.fetchall()
    except TimeIsUp:
        is_cut_short = True
    took = time.perf_counter() - began
    signal.alarm(0)
    cpu = time.process_time() - cpu
    ordered = sorted(run.latencies)
    done = len(ordered) + run.failures.total()
    result = None if is_cut_short else aquests.result
    return {
        "requests": count, "answered": len(ordered), "seconds": took, "client_cpu": cpu / took if took else 0.0,
        "latency": {name: percentile(ordered, share) for name, share in _PERCENTILES},
        "statuses": dict(run.statuses), "failures": dict(run.failures), "unanswered": count - done,
        "bytes": getattr(result, "bytes_recv", None), "is_cut_short": is_cut_short,
    }  # fmt: skip


_PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))


def _ring(number: int, frame: FrameType | None) -> None:
    raise TimeIsUp


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
