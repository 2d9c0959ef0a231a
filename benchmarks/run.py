"""`make bench`: measures skitaid beside its peers and prints figures, ratios and targets. docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.alone import ALONE, Measured
from benchmarks.cases import CASES, Case
from benchmarks.load import LoadError
from benchmarks.machine import Cores, raise_descriptor_limit
from benchmarks.prepare import prepare
from benchmarks.rounds import Bench, Figure, Plan, progress, summary
from benchmarks.servers import BENCH_VENV, SERVERS, StartError
from benchmarks.verdict import case_table, measured_table, ratio_table, ratios

STATIC_FILES = {"1k.txt": 1024, "10k.bin": 10240, "1m.bin": 1024 * 1024, "100m.bin": 100 * 1024 * 1024}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when everything asked for was measured, 1 when something could not be, 2 for wrong arguments."""
    options = parse(arguments)
    raise_descriptor_limit()
    remarks = [] if options.no_install else prepare()
    for remark in remarks:
        progress(f"skitaid: {remark}")
    if shutil.which("wrk") is None:
        progress("skitaid: nothing can be measured without wrk (https://github.com/wg/wrk)")
        return 1
    plan = Plan(Cores.of_machine(), options.rounds, options.seconds)
    if not plan.cores.are_apart:
        progress("skitaid: one core only: server and load generator share it, so ratios say little")
    with tempfile.TemporaryDirectory(prefix="skitaid-bench-") as folder:
        bench = Bench(plan, Path(folder), _files(Path(folder) / "static"))
        with bench.cleaned_up():
            return _measure(bench, options)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Ends with exit code 2, and a line that says why, for arguments that are none."""
    names = [*ALONE, *(case.key for case in CASES)]
    peers = sorted({server.peer for server in SERVERS.values()} - {"skitaid"})
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="CASE", help=f"measure these alone: {', '.join(names)}")
    parser.add_argument("--only", dest="only_list", metavar="CASES", default="", help="the same, separated by commas")
    parser.add_argument("--peers", metavar="PEERS", help=f"beside these alone: {', '.join(peers)}; none for nobody")
    parser.add_argument("--rounds", type=int, default=3, help="turns (%(default)s)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a sample (%(default)s)")
    parser.add_argument("--spare", type=float, default=120.0, metavar="SECONDS",
                        help="for waiting until the machine is quiet and repeating (%(default)s)")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--no-install", action="store_true", help="use what is there, fetch nothing")
    options = parser.parse_args(arguments)
    options.only = _known(parser, [*options.only, *options.only_list.split(",")], names) or names
    options.peers = peers if options.peers is None else _known(parser, options.peers.split(","), [*peers, "none"])
    return options


def _known(parser: argparse.ArgumentParser, given: Sequence[str], names: Sequence[str]) -> list[str]:
    given = [name for name in given if name]
    for name in given:
        if name not in names:
            parser.error(f"{name!r} is not one of: {', '.join(names)}")
    return given


def _measure(bench: Bench, options: argparse.Namespace) -> int:
    begun = time.monotonic()
    alone: list[Measured] = []
    for name in ALONE:
        # First, while nothing else of ours runs: shared pages are divided by all who share them.
        if name in options.only:
            progress(f"{name} …")
            alone += _alone(bench, name)
    figures: dict[tuple[str, str], Figure] = {}
    cases = [case for case in CASES if case.key in options.only]
    left_s = options.spare
    for number, case in enumerate(cases):
        progress(f"{case.key} …")
        # Twice its share at most: a noisy minute must not cost the cases after it their patience.
        spare_s = min(left_s, 2 * left_s / (len(cases) - number))
        figures |= _figures(bench, case, options.peers, spare_s)
        left_s -= spare_s - max(0.0, bench.left_s)
        print(case_table(case, figures), end="\n\n", flush=True)
    found = ratios(figures)
    if found:
        print(ratio_table(found), end="\n\n")
    if alone:
        print(measured_table(alone), end="\n\n")
    _epilogue(bench, figures, time.monotonic() - begun)
    if options.json is not None:
        _write(options.json, figures, alone, bench)
    return 1 if bench.absent else 0


def _alone(bench: Bench, name: str) -> list[Measured]:
    try:
        return ALONE[name](bench)
    except (StartError, LoadError, OSError) as error:
        bench.absent[name] = str(error)
        return []


def _figures(bench: Bench, case: Case, peers: Sequence[str], spare_s: float) -> dict[tuple[str, str], Figure]:
    keys = [key for key in case.servers if SERVERS[key].peer in ("skitaid", *peers)]
    samples = bench.measure(case, keys, spare_s)
    return {(case.key, key): summary(found, bench.plan.rounds) for key, found in samples.items()}


def _epilogue(bench: Bench, figures: dict[tuple[str, str], Figure], took_s: float) -> None:
    for what, why in bench.absent.items():
        print(f"not measured: {what}: {why}")
    disturbed = [key for key, figure in figures.items() if not figure.is_clean]
    if disturbed:
        print(f"~ marks {len(disturbed)} of {len(figures)} figures: others used the machine meanwhile; trust their"
              " µs/req more than their req/s, or measure again when it is quiet")  # fmt: skip
    print(f"{machine()['cpu']}, {machine()['python']}, {took_s:.0f} s")


def _write(path: Path, figures: dict[tuple[str, str], Figure], alone: Sequence[Measured], bench: Bench) -> None:
    document = {
        "machine": machine(),
        "plan": {"rounds": bench.plan.rounds, "seconds": bench.plan.seconds},
        "figures": [
            {"case": case, "server": key, "label": SERVERS[key].label, **asdict(figure)}
            for (case, key), figure in figures.items()
        ],
        "ratios": [
            {"case": ratio.target.case, "server": ratio.target.server, "other": ratio.target.other,
             "quantity": ratio.target.quantity.name, "value": ratio.value, "bound": ratio.target.bound,
             "goal": ratio.target.goal, "by_cost": ratio.by_cost, "is_clean": ratio.is_clean}
            for ratio in ratios(figures)
        ],
        "alone": [asdict(one) for one in alone],
        "absent": bench.absent,
    }  # fmt: skip
    path.write_text(json.dumps(document, indent=1) + "\n")


def machine() -> dict[str, str]:
    """What ran what."""
    model = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ": unknown processor")
    return {
        "cpu": model.partition(":")[2].strip(),
        "python": f"Python {platform.python_version()}",
        "kernel": platform.release(),
        "peers": ", ".join(_versions()),
    }


def _versions() -> list[str]:
    listing = subprocess.run(
        [BENCH_VENV / "bin" / "python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    peers = {server.peer for server in SERVERS.values()} | {"a2wsgi"}
    return [line.replace("==", " ") for line in listing.stdout.split() if line.partition("==")[0].lower() in peers]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _files(folder: Path) -> Path:
    """Files to serve; random bytes, so that nobody compresses them."""
    folder.mkdir()
    for name, size in STATIC_FILES.items():
        (folder / name).write_bytes(os.urandom(size))
    return folder


if __name__ == "__main__":
    sys.exit(main())
