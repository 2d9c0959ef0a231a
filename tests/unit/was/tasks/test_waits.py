"""The numbers that a wait is given."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.was.tasks.waits import Wait, read_wait


@pytest.mark.parametrize(
    ("given", "named", "expected"),
    [
        ((), {}, Wait()),
        ((5,), {}, Wait(5)),
        ((0,), {}, Wait(0)),
        ((None,), {}, Wait()),
        ((60,), {"timeout": 2}, Wait(2, 60)),
        ((2, 60), {}, Wait(2, 60)),
        ((60, (200, 201)), {"timeout": 2}, Wait(2, 60, (200, 201))),
        ((2, 60, (200, 404)), {}, Wait(2, 60, (200, 404))),
        ((), {"cache": 60, "cache_if": (201,), "timeout": 1.5}, Wait(1.5, 60, (201,))),
        ((), {"cache_if": 404}, Wait(cache_if=(404,))),
        (("500 Server Error",), {}, Wait(status="500 Server Error")),
        ((3, "410 Gone"), {}, Wait(3, status="410 Gone")),
        ((None, 60), {}, Wait(60)),
    ],
)
def test_numbers(given: tuple[Any, ...], named: dict[str, Any], expected: Wait) -> None:
    assert read_wait(given, **named) == expected


@pytest.mark.parametrize(("given", "named"), [((1, 2, 3), {}), ((1, 2), {"timeout": 3}), ((object(),), {})])
def test_what_is_too_much(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        read_wait(given, **named)
