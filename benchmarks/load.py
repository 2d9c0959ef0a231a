"""The load generator: wrk, what it is asked and what it says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Cores, pinned

__all__ = ["Load", "LoadError", "Outcome", "parse_duration_ms", "parse_wrk", "run"]

LUA = Path(__file__).parent / "lua"
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class LoadError(Exception):
    """wrk did not run, or said something else than results."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests for `path` over `connections` that are kept open, each at once after the last's answer. `script`: a
    file of lua/ that makes the requests. `is_kept` False: each has a connection of its own, and a handshake by TLS."""

    path: str = "/"
    connections: int = 64
    script: str = ""
    scheme: str = "http"
    is_kept: bool = True

    def command(self, port: int, seconds: int) -> list[str]:
        script = ["-s", str(LUA / self.script)] if self.script else []
        fields = [] if self.is_kept else ["-H", "Connection: close"]
        url = f"{self.scheme}://127.0.0.1:{port}{self.path}"
        how = [f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
        return ["wrk", "-t1", *how, *script, *fields, url]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What wrk counted. `refused`: answers that are not 2xx or 3xx; `broken`: connections that could not be made, were
    cut, or said nothing for 10 s."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int


def run(loads: Sequence[Load], port: int, seconds: int, cores: Cores) -> list[Outcome]:
    """All of them at the same time. Raises LoadError."""
    with pinned(cores.load):
        processes = [
            subprocess.Popen(load.command(port, seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for load in loads
        ]
    try:
        # Connections are made and ended outside of wrk's own time.
        return [parse_wrk(process.communicate(timeout=seconds + 30)[0]) for process in processes]
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"wrk did not end within {seconds + 30} s") from error
    finally:
        for process in processes:
            process.kill()
            process.wait()


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


def _sum(match: re.Match[str] | None) -> int:
    return sum(map(int, match.groups())) if match is not None else 0


def parse_duration_ms(text: str) -> float:
    """`532.00us`, `1.26ms`, `2.10s` to milliseconds."""
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if match is None:
        raise LoadError(f"wrk says {text!r} for a duration, expected such as 1.26ms")
    return float(match[1]) * _UNITS_MS[match[2]]
