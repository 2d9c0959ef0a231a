"""Several processes append to one log while its owner rotates it: no line is lost, torn or written twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from skitaid.logs.lines import LogFile

LINES = 3000
PROCESSES = 3
ROTATIONS = 20

WORKER = """
import sys
from skitaid.logs.lines import LogFile
log = LogFile(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    log.write("info", f"{sys.argv[2]}-{number} " + "x" * 200)
    if number % 50 == 0:
        log.reopen_if_moved()
"""


def start_worker(path: Path, mark: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(path), mark, str(LINES)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def test_rotation_under_writers_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    owner = LogFile(path)
    workers = [start_worker(path, f"w{number}") for number in range(PROCESSES)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    renamed = 0
    while renamed < ROTATIONS and any(worker.poll() is None for worker in workers):
        renamed += owner.rotate(keep=ROTATIONS + 1)
    for worker in workers:
        worker.communicate(timeout=50)
        assert worker.returncode == 0
    assert renamed > 0
    lines = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert all(line.endswith("x" * 200) for line in lines)
    expected = sorted(f"w{worker}-{number}" for worker in range(PROCESSES) for number in range(LINES))
    assert sorted(line.split()[3] for line in lines) == expected
