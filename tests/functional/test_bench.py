"""`bench` with aquests, against a backend of the test's own."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.functional.calling import Request, backend, response

ROOT = Path(__file__).resolve().parents[2]

# It can't be imported as it is, that is what the command is about.
pytestmark = pytest.mark.skipif(find_spec("aquests") is None, reason="aquests is not installed: make test installs it")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skitaid.cli.main", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_a_site(tmp_path: Path) -> None:
    def respond(request: Request) -> bytes:
        return response(404 if request.path == "/none" else 200, b"hello")

    with backend(respond) as (found, url):
        done = bench(f"{url}/a?b", "-n", "200", "-c", "4")
        assert done.returncode == 0, done.stderr
        assert len(found.requests) == 200 and found.requests[-1].target == "/a?b"
        assert found.requests[-1].fields["host"] == url.removeprefix("http://")
        assert found.connections <= 6, "connections are kept"
        assert "200: 200\n" in done.stdout and "1,000 bytes of bodies" in done.stdout
        for word in ("requests/s", "duration", "latency", "p50", "p99", "statuses"):
            assert word in done.stdout
        assert "404: 20\n" in bench(f"{url}/none", "-n", "20").stdout


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = bench(f"http://127.0.0.1:{taken.getsockname()[1]}/", "-n", "5")
    assert done.returncode == 1
    assert "refused" in done.stderr and "Traceback" not in done.stderr


def test_a_site_that_breaks() -> None:
    with backend(lambda request: b"") as (_, url):
        done = bench(f"{url}/", "-n", "5", "-c", "1")
    assert done.returncode == 1
    assert "failures" in done.stdout or "unanswered" in done.stdout
