from __future__ import annotations

from unittest.mock import patch

import pytest

from skitaid.agents.chance import chance


@pytest.mark.parametrize(
    ("octets", "number"), [(bytes(4), 0.0), (b"\x80\0\0\0", 0.5), (b"\xff\xff\xff\xff", pytest.approx(1.0))]
)
def test_octets_make_a_number_from_0_to_1(octets: bytes, number: float) -> None:
    with patch("os.urandom", return_value=octets):
        found = chance()
    assert found == number
    assert 0 <= found < 1


def test_it_is_another_each_time() -> None:
    assert len({chance() for _ in range(100)}) > 90
