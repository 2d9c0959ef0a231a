"""Fixtures that several files of functional tests use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.running import Daemon, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Folders for confs, logs and apps."""
    return Place(tmp_path)


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    """A daemon that is gone after the test."""
    made = Daemon(place)
    yield made
    made.end()


@pytest.fixture
def often() -> Iterator[None]:
    """Threads change a hundred times as often as in a worker: what can come between two steps does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
