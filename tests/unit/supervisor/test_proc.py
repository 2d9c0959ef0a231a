from __future__ import annotations

import os

from skitaid.supervisor.proc import cpu_seconds, rss_bytes

NOBODY = 2**30


def test_processor_time() -> None:
    assert 0 < cpu_seconds(os.getpid()) < 86400
    assert cpu_seconds(NOBODY) == 0.0


def test_memory() -> None:
    assert 1 << 20 < rss_bytes(os.getpid()) < 1 << 36
    assert rss_bytes(NOBODY) == 0
