"""`was.push`."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid import was
from skitaid.was import context


class PushingStream:
    def __init__(self) -> None:
        self.pushed: list[str] = []

    def push(self, target: str) -> None:
        self.pushed.append(target)


@pytest.mark.parametrize(
    ("uri", "target"), [("/a.css", "/a.css"), ("https://here/a.css?v=1#x", "/a.css?v=1"), ("/a?b", "/a?b")]
)
def test_path_and_query_are_offered(environ: dict[str, Any], uri: str, target: str) -> None:
    stream: Any = PushingStream()
    bound = context.bound_request()
    assert bound is not None
    bound.stream = stream
    was.push(uri)
    assert stream.pushed == [target]


def test_outside_of_requests_nothing_happens() -> None:
    was.push("/a.css")
