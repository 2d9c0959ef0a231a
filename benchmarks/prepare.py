"""What the benchmark needs of the machine: Debian packages, and a virtual environment with the peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.servers import BENCH_VENV, ROOT

__all__ = ["missing_packages", "parse_packages", "prepare"]

HERE = Path(__file__).parent
APT_LIMIT_S = 600
PIP_LIMIT_S = 900


def prepare() -> list[str]:
    """Install what is missing and may be installed. Gives a line for each thing that is still missing."""
    _install_packages(missing_packages())
    remarks = [f"{name} is not installed: apt-get install {name}" for name in missing_packages()]
    _make_venv()
    return remarks + _install_peers()


def parse_packages(text: str) -> dict[str, str]:
    """Lines of `package command`, comments and blank lines aside: the command succeeds when nothing is needed."""
    lines = (line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name: command.strip() for name, command in lines}


def missing_packages() -> list[str]:
    """Of requirements-apt.txt."""
    wanted = parse_packages((HERE / "requirements-apt.txt").read_text())
    return [name for name, command in wanted.items() if not _succeeds(["sh", "-c", command])]


def _install_packages(names: list[str]) -> None:
    if not names or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print("installing for the benchmark:", *names, flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *names]):
        subprocess.run(
            ["apt-get", *command], env=environ, check=False, timeout=APT_LIMIT_S, capture_output=True
        )  # fmt: skip


def _make_venv() -> None:
    """Of the same Python that runs skitaid: another version would make other figures."""
    if not _succeeds([str(BENCH_VENV / "bin" / "python"), "-c", f"import sys; assert {_version()!r} in sys.version"]):
        print(f"making {BENCH_VENV}", flush=True)
        base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run([base if base.exists() else sys.executable, "-m", "venv", "--clear", BENCH_VENV], check=True)


def _install_peers() -> list[str]:
    wanted = [line for line in (HERE / "requirements.txt").read_text().split("\n") if line and line[0] != "#"]
    missing = [name for name in wanted if not _has(name)]
    if not missing:
        return []
    print("installing the peers:", *missing, flush=True)
    if _pip_installs(missing):
        return []
    # One that can't be built must not keep the others away.
    return [f"{name} could not be installed and is left out" for name in missing if not _pip_installs([name])]


def _pip_installs(names: list[str]) -> bool:
    python = str(BENCH_VENV / "bin" / "python")
    return _succeeds([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *names], PIP_LIMIT_S)


def _has(name: str) -> bool:
    module = name.partition("[")[0].replace("-", "_")
    return _succeeds([str(BENCH_VENV / "bin" / "python"), "-c", f"import {module}"])


def _version() -> str:
    return sys.version.split()[0]


def _succeeds(command: list[str], limit_s: float = 60.0) -> bool:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=limit_s)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
