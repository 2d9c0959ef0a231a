"""`was.uniqid`, `was.timestamp`."""

from __future__ import annotations

import re
from datetime import datetime

from skitaid import was


def test_a_timestamp_is_in_milliseconds() -> None:
    assert abs(was.timestamp() / 1000 - datetime.now().timestamp()) < 5


def test_an_id_comes_once() -> None:
    found = {was.uniqid() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)
