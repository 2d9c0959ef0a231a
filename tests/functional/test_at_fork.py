"""Processes that apps fork: they have no part in the worker, and nothing that is in the way when it is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.functional.running import Master, Place, can_bind, free_port, session_members, text, wait_for

FORKING = """
import os, time

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] != "/fork":
        return [str(os.getpid()).encode()]
    pid = os.fork()
    if not pid:
        time.sleep(600)
        os._exit(0)
    return [str(pid).encode()]
"""
POOLING = """
import multiprocessing, os

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/pool":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return [str(sum(pool.map(abs, [-1, -2]))).encode()]
    return [str(os.getpid()).encode()]
"""


@pytest.fixture(params=[0, 2], ids=["loop", "threads"])
def master(place: Place, request: pytest.FixtureRequest) -> Iterator[Master]:
    """At an address that can be bound again."""
    place.app("app", FORKING)
    place.site(f"listen = 127.0.0.1:{free_port()}\nthreads = {request.param}")
    made = Master(place).ready()
    yield made
    made.end()


def is_alive(master: Master, pid: int) -> bool:
    return session_members(master.pid).get(pid, "Z") != "Z"


def test_they_do_not_keep_the_address(master: Master) -> None:
    child = int(text(master.address, "/fork"))
    master.stop()
    assert is_alive(master, child)  # a master on its own leaves it to whoever started it
    assert can_bind(master.address)


def test_they_end_when_the_supervisor_is_gone(master: Master) -> None:
    child = int(text(master.address, "/fork"))
    assert is_alive(master, child)
    master.cut_lifeline()
    master.ended()
    wait_for(lambda: not session_members(master.pid), "the end of all")


def test_a_signal_to_one_is_none_to_the_worker(master: Master) -> None:
    worker = text(master.address)
    child = int(text(master.address, "/fork"))
    os.kill(child, signal.SIGTERM)
    wait_for(lambda: not is_alive(master, child), "its end")
    assert text(master.address) == worker
    assert "stop" not in master.place.log("server")


def test_a_pool_of_processes_works_and_ends(place: Place, master: Master) -> None:
    place.app("app", POOLING)
    master.reload()
    worker = text(master.address)
    assert text(master.address, "/pool") == "3"
    assert text(master.address) == worker
