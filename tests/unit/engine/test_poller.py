from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from skitaid.engine.poller import READ, WRITE, Poller, PortablePoller, make_poller


@pytest.fixture(params=["best", "portable"])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made = make_poller() if request.param == "best" else PortablePoller()
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_the_best_is_epoll_where_there_is_one() -> None:
    poller = make_poller()
    assert isinstance(poller, select.epoll) == hasattr(select, "epoll")
    poller.close()


def test_tells_what_is_ready(poller: Poller, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    poller.register(reader, READ)
    poller.register(writer, WRITE)
    assert poller.poll(0) == [(writer, WRITE)]
    os.write(writer, b"x")
    assert sorted(poller.poll(0)) == sorted([(reader, READ), (writer, WRITE)])


def test_an_empty_mask_says_nothing_until_it_is_modified(poller: Poller, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"x")
    poller.register(reader, 0)
    assert poller.poll(0) == []
    poller.modify(reader, READ)
    assert poller.poll(0) == [(reader, READ)]
    poller.modify(reader, 0)
    assert poller.poll(0) == []
    poller.unregister(reader)
    poller.register(reader, READ)
    assert poller.poll(0) == [(reader, READ)]


def test_unregister_of_the_unknown_is_an_oserror(poller: Poller, pipe: tuple[int, int]) -> None:
    with pytest.raises(OSError):
        poller.unregister(pipe[0])
