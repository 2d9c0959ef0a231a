"""A client that goes silent is not waited for beyond the time-outs: one second here, two for a whole head.

Only that it ends, and how, is asserted, not when: the machine may be busy. Waiting is all that these scenarios do, so
they do it at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest

from tests.compliance.client import PATIENCE_S, Connect, Ending, Wire

GET: Final = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST: Final = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED: Final = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def eventually(is_so: Callable[[], bool]) -> None:
    """Look until `is_so`."""
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends, "the connection was kept"
        time.sleep(0.05)


@contextmanager
def dripping(wire: Wire, endless: bytes) -> Iterator[None]:
    """A byte of `endless` now and then, more often than the stall time-out, until this is left."""
    done = threading.Event()

    def drip() -> None:
        ends = time.monotonic() + PATIENCE_S
        while not done.wait(0.2) and time.monotonic() < ends:
            wire.send(endless)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# ---------------------------------------------------------------- what clients do


def says_nothing(wire: Wire) -> None:
    """RFC 9112 section 9.5: closed without a response, as there was no request."""
    assert wire.drain() == (b"", Ending.CLOSED)


def says_nothing_more(wire: Wire) -> None:
    assert wire.ask(GET).status == 200
    assert wire.drain() == (b"", Ending.CLOSED)


def sends_an_empty_line(wire: Wire) -> None:
    wire.send(b"\r\n")
    assert wire.drain() == (b"", Ending.CLOSED)


def leaves_off(raw: bytes) -> Callable[[Wire], None]:
    """RFC 9110 section 15.5.9."""

    def scenario(wire: Wire) -> None:
        wire.send(raw)
        response = wire.response()
        assert (response.status, response.closes) == (408, True)
        assert wire.drain()[0] == b""

    return scenario


def lets_its_head_trickle(wire: Wire) -> None:
    """Each byte comes in time, the whole never does."""
    wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\nX: ")
    with dripping(wire, b"a"):
        assert wire.response().status == 408


def lets_its_body_trickle(wire: Wire) -> None:
    """A slow line is no silence."""
    wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n")
    with dripping(wire, b"a"):
        assert wire.response().json["body"] == "a" * 12


def takes_nothing(wire: Wire) -> None:
    """What it gets must not look whole (RFC 9112 section 8)."""
    wire.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
    eventually(wire.has_ended)
    assert wire.drain()[1] is Ending.RESET


SCENARIOS: Final[Mapping[str, Callable[[Wire], None]]] = {
    "says nothing": says_nothing,
    "says nothing more": says_nothing_more,
    "sends an empty line": sends_an_empty_line,
    "leaves off in the request line": leaves_off(b"G"),
    "leaves off behind a field": leaves_off(GET[:-2]),
    "leaves off before the last byte of a head": leaves_off(GET[:-1]),
    "leaves off in an empty line": leaves_off(b"\r\n\r"),
    "leaves off before a body": leaves_off(POST),
    "leaves off in a body": leaves_off(POST + b"hell"),
    "leaves off before a chunk": leaves_off(CHUNKED),
    "leaves off in the trailers": leaves_off(CHUNKED + b"0\r\n"),
    "lets its head trickle": lets_its_head_trickle,
    "lets its body trickle": lets_its_body_trickle,
    "takes nothing": takes_nothing,
}


@pytest.fixture(scope="session")
def outcomes(hasty_port: int) -> Iterator[dict[str, Future[None]]]:
    """All scenarios, under way."""

    def play(scenario: Callable[[Wire], None]) -> None:
        with Wire(hasty_port) as wire:
            scenario(wire)

    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {name: pool.submit(play, scenario) for name, scenario in SCENARIOS.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_client_that(name: str, outcomes: Mapping[str, Future[None]]) -> None:
    outcomes[name].result()


# ---------------------------------------------------------------- what must not end, or leave nothing behind


def test_an_app_that_takes_its_time_is_waited_for(connect_hasty: Connect) -> None:
    """The time-outs are those of the client."""
    assert connect_hasty().ask(b"GET /slow?2500 HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


def test_a_refused_client_that_stays_is_not_waited_for(connect_hasty: Connect) -> None:
    """RFC 9112 section 9.6: lingering ends too."""
    stays = connect_hasty()
    assert stays.ask(b"NONSENSE\r\n\r\n").status == 400
    assert stays.rest() == b""

    def is_alone() -> bool:
        with connect_hasty() as wire:
            return wire.ask(b"GET /connections HTTP/1.1\r\nHost: a\r\n\r\n").body == b"1"

    eventually(is_alone)
