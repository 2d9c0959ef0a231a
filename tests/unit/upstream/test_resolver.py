"""Names are looked up beside the loop, answers are kept, and old ones serve while there is no newer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from skitaid.upstream import resolver as module
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.resolver import Address, Answer, Resolver, literal, unix_address

PATIENCE_S = 20.0


def address(text: str) -> Address:
    return Address(socket.AF_INET, (text, 80))


class World:
    """A portal turned by hand, a clock, and name servers that answer when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.heard: list[str] = []
        self.looked_up: list[str] = []
        self.at_once = self.most_at_once = 0
        self.failing: str | None = None
        self.addresses = ["10.0.0.1"]
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()
        self.calls: list[Callable[[], None]] = []
        self.left = threading.Semaphore(0)
        self.resolver = Resolver(self, clock=lambda: self.now, refresh_s=30.0, look_up=self.look_up)

    def call(self, function: Callable[[], None]) -> None:
        with self.lock:
            self.calls.append(function)
        self.left.release()

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.left.acquire(timeout=PATIENCE_S), "no look-up came to its end"
            with self.lock:
                function = self.calls.pop(0)
            function()

    def look_up(self, host: str, port: int) -> Answer:
        with self.lock:
            self.looked_up.append(host)
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        assert self.gate.wait(PATIENCE_S)
        with self.lock:
            self.at_once -= 1
        if self.failing is not None:
            raise socket.gaierror(socket.EAI_NONAME, self.failing)
        return tuple(address(text) for text in self.addresses)

    def ask(self, host: str = "app.test") -> list[str]:
        """Everything heard so far."""
        self.resolver.resolve(host, 80, self.hear)
        return self.heard

    def hear(self, answer: Answer | UpstreamError) -> None:
        self.heard.append(answer.detail if isinstance(answer, UpstreamError) else " ".join(map(str, answer)))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.gate.set()


def known(world: World) -> World:
    world.ask()
    world.turn()
    world.heard.clear()
    return world


def test_a_name_is_looked_up_once_and_then_known(world: World) -> None:
    assert world.ask() == []
    world.turn()
    assert world.heard == ["10.0.0.1:80"]
    world.now += 29.9
    assert world.ask() == ["10.0.0.1:80"] * 2
    assert world.looked_up == ["app.test"]


def test_many_that_wait_share_a_look_up(world: World) -> None:
    for _ in range(50):
        world.ask()
    world.turn()
    assert world.heard == ["10.0.0.1:80"] * 50
    assert world.looked_up == ["app.test"]


def test_an_old_answer_serves_while_it_is_looked_up_anew(world: World) -> None:
    known(world).addresses = ["10.0.0.2", "10.0.0.3"]
    world.now += 31
    assert world.ask() == ["10.0.0.1:80"]
    world.turn()
    assert world.ask() == ["10.0.0.1:80", "10.0.0.2:80 10.0.0.3:80"]


def test_a_very_old_answer_is_not_given_without_a_look(world: World) -> None:
    known(world).addresses = ["10.0.0.2"]
    world.now += 30 * 10
    assert world.ask() == []
    world.turn()
    assert world.heard == ["10.0.0.2:80"]


def test_when_the_look_up_fails_an_old_answer_is_better_than_none(world: World) -> None:
    known(world).failing = "no name servers"
    world.now += 86400
    assert world.ask() == []
    world.turn()
    assert world.heard == ["10.0.0.1:80"]
    # and nobody waits for the next failure
    world.now += 2
    assert world.ask() == ["10.0.0.1:80"] * 2
    world.turn()
    world.failing, world.addresses = None, ["10.0.0.2"]
    world.now += 2
    world.ask()
    world.turn()
    assert world.ask()[-1] == "10.0.0.2:80"


def test_a_name_without_an_address_is_an_error_that_nobody_sent_anything_with(world: World) -> None:
    world.failing = "unknown name"
    errors: list[Answer | UpstreamError] = []
    world.resolver.resolve("app.test", 80, errors.append)
    world.turn()
    (error,) = errors
    assert isinstance(error, UpstreamError)
    assert (error.failure, error.is_unsent) == (Failure.UNRESOLVED, True)
    assert str(error) == "the name has no address: app.test: unknown name"


def test_failures_are_not_repeated_for_every_call(world: World) -> None:
    world.failing = "unknown name"
    world.ask()
    world.turn()
    for _ in range(100):
        world.ask()
    assert world.heard == ["app.test: unknown name"] * 101
    assert world.looked_up == ["app.test"]
    world.now += 1
    world.failing = None
    world.ask()
    world.turn()
    assert world.heard[-1] == "10.0.0.1:80"


def test_a_look_up_that_breaks_is_told_to_who_waits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(host: str, port: int) -> Answer:
        raise RuntimeError("out of order")

    world.resolver = Resolver(world, clock=lambda: world.now, look_up=broken)
    world.ask()
    world.turn()
    assert world.heard == ["app.test: RuntimeError('out of order')"]
    assert "RuntimeError: out of order" in capsys.readouterr().err


def test_only_some_names_are_looked_up_at_a_time(world: World) -> None:
    world.gate.clear()
    for number in range(10):
        world.ask(f"host{number}.test")
    deadline = time.monotonic() + PATIENCE_S
    while world.at_once < module.MAX_THREADS and time.monotonic() < deadline:
        time.sleep(0.01)
    world.gate.set()
    world.turn(10)
    assert world.heard == ["10.0.0.1:80"] * 10
    assert world.most_at_once == module.MAX_THREADS


def test_names_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NAMES", 3)
    for number in range(10):
        world.ask(f"host{number}.test")
        world.turn()
    assert len(world.resolver._entries) == 3
    world.gate.clear()
    for number in range(4):
        world.ask(f"other{number}.test")
    assert world.heard[-1] == "other3.test: too many names are looked up"
    world.gate.set()
    world.turn(3)


@pytest.mark.parametrize(
    ("host", "text"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("2001:db8::7", "[2001:db8::7]:80")]
)
def test_literal_addresses_are_answered_at_once_and_for_good(world: World, host: str, text: str) -> None:
    assert world.ask(host) == [text]
    world.now += 1e9
    assert world.ask(host) == [text] * 2
    assert world.looked_up == []


@pytest.mark.parametrize("host", ["localhost", "app.test", "a" * 300, "xn--", "ü" * 100])
def test_names_are_no_literals(host: str) -> None:
    assert literal(host, 80) == ()


@pytest.mark.parametrize("host", ["a" * 300, "ü" * 100, "no\0where"])
def test_what_can_be_no_name_is_an_error_as_well(world: World, host: str) -> None:
    world.resolver = Resolver(world, clock=lambda: world.now)
    world.ask(host)
    world.turn()
    assert world.heard[0].startswith(host)


def test_the_systems_resolver_is_asked(world: World) -> None:
    world.resolver = Resolver(world, clock=lambda: world.now)
    world.ask("localhost")
    world.turn()
    assert {"127.0.0.1:80", "[::1]:80"} & set(world.heard[0].split())


def test_after_the_end_nobody_hears_anything(world: World) -> None:
    world.gate.clear()
    world.ask()
    world.resolver.close()
    world.gate.set()
    world.turn()
    assert world.heard == []


def test_addresses_are_shown_as_people_write_them() -> None:
    assert str(unix_address("/run/app.sock")) == "unix:/run/app.sock"
