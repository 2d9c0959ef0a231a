"""Thousands of requests of several people in any order, and answers of every kind: nobody ever gets another's page."""

from __future__ import annotations

import random

import pytest

from tests.unit.upstream.cache.origin import Asked, Heard, Scene

PEOPLE = (None, "Cookie: id=1", "Cookie: id=2", "Authorization: Basic eDp5", "X-Api-Key: k")
CONTROLS = (
    "max-age=60", "max-age=0", "no-cache", "no-store", "private, max-age=60", "private", "public, max-age=60", "public",
    "s-maxage=5", "max-age=5, must-revalidate", "max-age=5, stale-while-revalidate=60", "max-age=5, stale-if-error=60",
    'max-age=60, private="x-page"', "public, max-age=3, stale-while-revalidate=60, stale-if-error=60", "",
)  # fmt: skip
VARY = (None, None, None, "Cookie", "Accept-Encoding", "Cookie, Accept-Encoding", "*")
ASKS = ((), (), ("Cache-Control: no-cache",), ("Cache-Control: max-stale",), ("Range: bytes=0-2",),
        ("Accept-Encoding: gzip",), ('If-None-Match: "tag"',))  # fmt: skip


def is_for_all(control: str) -> bool:
    return "public" in control or "s-maxage" in control


class World:
    """`owners`: whom each body was made for, and whether its server said that it is for everybody. `tags`: bodies by
    their entity tags."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.scene = Scene(memory_bytes=1 << 18)
        self.owners: dict[bytes, tuple[str | None, bool]] = {}
        self.tags: dict[str, bytes] = {}
        self.heard: list[tuple[str | None, Heard]] = []
        self.open: list[Asked] = []
        self.count = 0

    def step(self) -> None:
        act = self.random.random()
        if act < 0.5:
            self.ask()
        elif act < 0.9:
            self.answer()
        elif act < 0.95:
            self.scene.now += self.random.choice((0.1, 1, 4, 30))
        elif self.heard:
            heard = self.random.choice(self.heard)[1]
            assert heard.exchange is not None
            self.random.choice((heard.exchange.cancel, heard.exchange.pause, heard.exchange.resume))()
        self.collect()

    def ask(self) -> None:
        who = self.random.choice(PEOPLE)
        fields = (*self.random.choice(ASKS), *(() if who is None else (who,)))
        method = self.random.choices(("GET", "HEAD", "POST"), (20, 2, 1))[0]
        heard = self.scene.ask(f"/{self.random.randrange(3)}", *fields, method=method)
        self.heard.append((who, heard))

    def collect(self) -> None:
        self.open += self.scene.calls
        self.scene.calls.clear()
        self.open = [asked for asked in self.open if not asked.is_cancelled]

    def answer(self) -> None:
        """By the member; now and then by half of a response, or by an error."""
        if not self.open:
            return
        asked = self.open.pop(self.random.randrange(len(self.open)))
        fields = asked.fields
        body = self.tags.get(fields.get("if-none-match", ""))
        if body is not None and self.random.random() < 0.5:
            control = self.random.choice(CONTROLS)
            owner, is_public = self.owners[body]
            self.owners[body] = owner, is_public or is_for_all(control)
            asked.answer(304, f"Cache-Control: {control}" if control else "X-Nothing: 1")
        elif self.random.random() < 0.1:
            asked.fail()
        else:
            self.respond(asked)
        self.scene.turn()

    def respond(self, asked: Asked) -> None:
        self.count += 1
        body = b"<page %06d>" % self.count
        control, vary = self.random.choice(CONTROLS), self.random.choice(VARY)
        who = next((person for person in PEOPLE if person and person.partition(":")[0].lower() in asked.fields), None)
        if who is not None and who.startswith("Cookie"):
            who = f"Cookie: {asked.fields['cookie']}"
        self.owners[body] = who, is_for_all(control)
        tag = f'"{self.count}"'
        self.tags[tag] = body
        given = [f"ETag: {tag}", *([f"Cache-Control: {control}"] if control else [])]
        given += [f"Vary: {vary}"] if vary else []
        given += ["Set-Cookie: id=9"] if self.random.random() < 0.1 else []
        status = self.random.choices((200, 404, 503), (20, 2, 1))[0]
        asked.begin(status, *given, length=len(body))
        for part in (body[:5], body[5:]):
            if not asked.is_cancelled:
                asked.data(part)
        if not asked.is_cancelled:
            if self.random.random() < 0.1:
                asked.fail()
            else:
                asked.finish()

    def check(self) -> tuple[int, int]:
        """How many got a page, and how many one that another's request had brought."""
        pages = shared = 0
        for who, heard in self.heard:
            if not heard.is_ended or not heard.body.endswith(b">") or heard.status not in (200, 404, 503):
                continue
            owner, is_public = self.owners[heard.body]
            pages += 1
            shared += owner != who
            assert owner == who or is_public, f"{who} got what was made for {owner}"
            if heard.get("set-cookie") is not None:
                assert owner == who
        return pages, shared


@pytest.mark.parametrize("seed", range(8))
def test_nobody_gets_anothers_page(seed: int) -> None:
    world = World(seed)
    for _ in range(1500):
        world.step()
    pages, shared = world.check()
    assert pages > 200
    assert shared > 10
    for _, heard in world.heard:
        assert heard.exchange is not None
        heard.exchange.cancel()
    world.collect()
    while world.open:
        world.open.pop().fail()
        world.scene.turn()
        world.collect()
    assert world.scene.cache.filling_bytes == 0
    assert not world.scene.cache.fills
