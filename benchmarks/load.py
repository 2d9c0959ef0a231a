"""The load generators: wrk, and h2load for HTTP/2; what they are asked and what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Cores, pinned

__all__ = ["Load", "LoadError", "Outcome", "ask_h2", "parse_duration_ms", "parse_h2load", "parse_wrk", "run"]

LUA = Path(__file__).parent / "lua"
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class LoadError(Exception):
    """wrk or h2load did not run, or said something else than results."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests for `path` over `connections` that are kept open, each at once after the last's answer. `script`: a
    file of lua/ that makes the requests. `is_kept` False: each has a connection of its own, and a handshake by TLS.
    `streams`: by HTTP/2 without TLS, that many requests at a time in each connection; it takes neither script nor
    scheme. `count`: that many requests in all instead of as many as there is time for; of HTTP/2 alone.
    `least_s`: a shorter run would count too few requests."""

    path: str = "/"
    connections: int = 64
    script: str = ""
    scheme: str = "http"
    is_kept: bool = True
    streams: int = 0
    count: int = 0
    least_s: int = 0

    def command(self, port: int, seconds: int) -> list[str]:
        """What runs it."""
        seconds = max(seconds, self.least_s)
        return self._h2load(port, seconds) if self.streams else self._wrk(port, seconds)

    def parse(self, text: str) -> Outcome:
        """What that says. Raises LoadError."""
        return parse_h2load(text) if self.streams else parse_wrk(text)

    def _h2load(self, port: int, seconds: int) -> list[str]:
        limit = ["-n", str(self.count)] if self.count else ["-D", str(seconds)]
        how = ["-c", str(self.connections), "-m", str(self.streams), *limit]
        return ["h2load", "-t", "1", *how, f"http://127.0.0.1:{port}{self.path}"]

    def _wrk(self, port: int, seconds: int) -> list[str]:
        script = ["-s", str(LUA / self.script)] if self.script else []
        fields = [] if self.is_kept else ["-H", "Connection: close"]
        url = f"{self.scheme}://127.0.0.1:{port}{self.path}"
        how = [f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
        return ["wrk", "-t1", *how, *script, *fields, url]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was counted. `refused`: answers that are not 2xx or 3xx; `broken`: connections that could not be made, were
    cut, or said nothing for 10 s; by HTTP/2 requests that this happened to. `p50_ms`, `p99_ms`: None of HTTP/2, as
    h2load tells means alone."""

    requests: int
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    refused: int
    broken: int


def run(loads: Sequence[Load], port: int, seconds: int, cores: Cores) -> list[Outcome]:
    """All of them at the same time. Raises LoadError."""
    for load in loads:
        _require(load.command(port, seconds)[0])
    with pinned(cores.load):
        processes = [
            subprocess.Popen(load.command(port, seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for load in loads
        ]
    try:
        # Connections are made and ended outside of wrk's own time.
        said = [process.communicate(timeout=seconds + 30)[0] for process in processes]
        return [load.parse(text) for load, text in zip(loads, said, strict=True)]
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the load generator did not end within {seconds + 30} s") from error
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise LoadError(f"{program} is not installed")


def ask_h2(port: int, path: str) -> bool:
    """Whether `path` is answered 2xx by HTTP/2 without TLS. Raises LoadError."""
    _require("h2load")
    command = ["h2load", "-n", "1", f"http://127.0.0.1:{port}{path}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"GET {path} by HTTP/2 was not answered within 10 s") from error
    return "status codes: 1 2xx" in done.stdout


def parse_wrk(text: str) -> Outcome:
    """The output of `wrk --latency`. Raises LoadError, with that output, when it holds no result."""
    rps = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    requests = re.search(r"^\s*(\d+) requests in ", text, re.MULTILINE)
    if rps is None or requests is None:
        raise LoadError(f"wrk gave no result: {text.strip()[-500:] or 'nothing at all'}")
    percentiles = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.MULTILINE))
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    p50_ms, p99_ms = (parse_duration_ms(percentiles.get(percent, "0us")) for percent in ("50", "99"))
    return Outcome(int(requests[1]), float(rps[1]), p50_ms, p99_ms, _sum(refused), _sum(broken))


def parse_h2load(text: str) -> Outcome:
    """The output of h2load. Raises LoadError, with its end, when it holds no result or nothing was done."""
    rps = re.search(r"^finished in \S+, ([\d.]+) req/s", text, re.MULTILINE)
    counts = re.search(r"^requests: .* (\d+) done, .* (\d+) errored, (\d+) timeout", text, re.MULTILINE)
    if rps is None or counts is None or counts[1] == "0":
        raise LoadError(f"h2load gave no result: {text.strip()[-500:] or 'nothing at all'}")
    done, errored, timed_out = map(int, counts.groups())
    refused = re.search(r"^status codes: .* (\d+) 4xx, (\d+) 5xx", text, re.MULTILINE)
    return Outcome(done, float(rps[1]), None, None, _sum(refused), errored + timed_out)


def _sum(match: re.Match[str] | None) -> int:
    return sum(map(int, match.groups())) if match is not None else 0


def parse_duration_ms(text: str) -> float:
    """`532.00us`, `1.26ms`, `2.10s` to milliseconds."""
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if match is None:
        raise LoadError(f"wrk says {text!r} for a duration, expected such as 1.26ms")
    return float(match[1]) * _UNITS_MS[match[2]]
