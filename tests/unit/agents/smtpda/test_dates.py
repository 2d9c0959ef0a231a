from __future__ import annotations

import pytest

from skitaid.agents.smtpda.dates import format_date


@pytest.mark.parametrize(
    ("offset_s", "text"),
    [
        (0, "Sun, 9 Sep 2001 01:46:40 +0000"),
        (2 * 3600, "Sun, 9 Sep 2001 03:46:40 +0200"),
        (-(3 * 3600 + 1800), "Sat, 8 Sep 2001 22:16:40 -0330"),
    ],
)
def test_the_same_moment_in_another_zone(offset_s: int, text: str) -> None:
    assert format_date(1_000_000_000.0, offset_s) == text
