"""A server for each way of running apps; it must come through all cases alive and without an error of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.compliance.client import PATIENCE_S, Connect, Wire
from tests.compliance.server import LARGE

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running(*options: str) -> Iterator[int]:
    """A server with `options`: gives its port. At the end it must still be alive, and have said nothing of an error."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.compliance.server", *options],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        with process:
            try:
                yield _port_of(process.stdout)
                _stop(process)
                errors.seek(0)
                said = errors.read().decode("utf-8", "replace")
                assert (process.returncode, "Traceback" in said) == (0, False), said
            finally:
                process.kill()


def _port_of(output: IO[bytes] | None) -> int:
    assert output is not None
    line = output.readline()
    assert line, "the server did not start"
    return int(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, f"the server ended with {process.returncode}"
    assert process.stdin is not None
    process.stdin.close()
    process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("static")
    (path / "small.txt").write_bytes(b"small")
    (path / "large.bin").write_bytes(LARGE)
    return path


@pytest.fixture(scope="session", params=[4, 0], ids=["threads", "loop"])
def port(request: pytest.FixtureRequest, folder: Path) -> Iterator[int]:
    """Of a server whose time-outs no test waits for; with app threads, and with apps on the loop."""
    with running("--threads", str(request.param), "--folder", str(folder)) as found:
        yield found


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    yield from _connecting(port)


@pytest.fixture(scope="session", params=[4, 0], ids=["threads", "loop"])
def hasty_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a server that waits a second for anything, and two for a whole head."""
    with running("--threads", str(request.param), "--timeouts", "1", "1", "2", "1") as found:
        yield found


@pytest.fixture
def connect_hasty(hasty_port: int) -> Iterator[Connect]:
    yield from _connecting(hasty_port)


def _connecting(port: int) -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Wire(port))


@pytest.fixture
def was_run(connect: Connect) -> Callable[[str], bool]:
    """Whether the app was ever asked for a path."""

    def ask(path: str) -> bool:
        answer = connect().ask(b"GET /was-run?%b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()).body
        assert answer in (b"yes", b"no")
        return answer == b"yes"

    return ask
