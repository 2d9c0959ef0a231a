"""Requests for what lies on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skitaid.upstream.cache.disk import DiskStore
from skitaid.upstream.cache.files import Folder
from tests.unit.upstream.cache.origin import Heard, Scene
from tests.unit.upstream.cache.test_stores import Threads

KEPT = "Cache-Control: max-age=60"


class DiskScene(Scene):
    """A worker with a disk store, just started."""

    def __init__(self, folder: Path, *, memory_bytes: int = 0) -> None:
        self.threads = Threads()
        disk = DiskStore(Folder(str(folder), 1 << 20), self.threads, entry_limit_bytes=1 << 18)
        super().__init__(memory_bytes, disk_bytes=1 << 20, folder=str(folder), disk=disk)
        self.cache.tick()
        self.threads.run()

    def turn(self) -> None:
        super().turn()
        self.threads.run()

    def fetch(self, *args: Any, **given: Any) -> Heard:
        heard = super().fetch(*args, **given)
        self.turn()
        return heard


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_a_hit_after_a_restart(tmp_path: Path, memory_bytes: int) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT, "X-A: 1", body=b"one")
    scene = DiskScene(tmp_path, memory_bytes=memory_bytes)
    scene.now += 5
    for _ in range(2):
        heard = scene.ask("/a")
        assert (heard.body, heard.get("age"), heard.get("x-a")) == (b"one", "5", "1")
    assert scene.calls == []
    assert len(scene.cache.memory) == (1 if memory_bytes else 0)


def test_a_stale_one_is_validated(tmp_path: Path) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT, 'ETag: "1"', body=b"one")
    scene = DiskScene(tmp_path)
    scene.now += 61
    heard = scene.ask("/a")
    assert scene.last.fields == {"if-none-match": '"1"'}
    scene.last.answer(304, KEPT)
    scene.turn()
    assert heard.body == b"one"
    again = DiskScene(tmp_path)
    again.now = scene.now + 50
    assert again.ask("/a").body == b"one"


def test_a_change_holds_for_all_workers_and_after_a_restart(tmp_path: Path) -> None:
    one, other = DiskScene(tmp_path, memory_bytes=1 << 20), DiskScene(tmp_path, memory_bytes=1 << 20)
    one.fetch("/a", KEPT, body=b"one")
    other.fetch("/a", KEPT, body=b"one")
    one.turn()
    one.ask("/a", method="POST")
    one.last.answer(200)
    one.turn()
    for scene in (one, other, DiskScene(tmp_path)):
        scene.ask("/a")
        assert scene.last.call.method == "GET"
        assert not scene.last.is_cancelled


def test_what_one_worker_writes_after_anothers_change_is_not_valid(tmp_path: Path) -> None:
    one, other = DiskScene(tmp_path), DiskScene(tmp_path)
    one.ask("/a")
    other.ask("/a", method="POST")
    other.last.answer(200)
    one.last.answer(200, KEPT, body=b"old")
    one.turn()
    DiskScene(tmp_path).fetch("/a", KEPT, body=b"new")


def test_who_leaves_while_the_disk_is_looked_at_hears_nothing(tmp_path: Path) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT)
    scene = DiskScene(tmp_path)
    heard = Heard()
    scene.turn, turn = lambda: None, scene.turn  # type: ignore[method-assign]
    scene.ask("/a", heard=heard)
    assert heard.exchange is not None
    heard.exchange.cancel()
    turn()
    assert heard.head is None
    assert scene.calls == []


def test_a_disk_that_lost_it_is_a_miss(tmp_path: Path) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT)
    scene = DiskScene(tmp_path)
    for path in (tmp_path / "v1").rglob("*"):
        if path.is_file():
            path.unlink()
    scene.fetch("/a", KEPT, body=b"two")
    assert scene.ask("/a").body == b"two"


def test_slow_clients_of_what_is_on_disk_are_counted(tmp_path: Path) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT, body=bytes(120_000))
    scene = DiskScene(tmp_path)
    slow = []
    for _ in range(20):
        heard = Heard()
        slow.append(heard)
        heard.on_head = lambda heard=heard: heard.exchange.pause()
        scene.ask("/a", heard=heard)
    assert 400_000 < scene.cache.filling_bytes < 800_000
    # The others wait for a member.
    assert len(scene.calls) == 1
    for heard in slow:
        if heard.head is not None:
            heard.exchange.resume()
            assert len(heard.body) == 120_000
    assert scene.cache.filling_bytes == 0


def test_who_leaves_what_is_on_disk_is_counted_no_longer(tmp_path: Path) -> None:
    DiskScene(tmp_path).fetch("/a", KEPT, body=bytes(120_000))
    scene = DiskScene(tmp_path)
    heard = Heard()

    def pause() -> None:
        assert heard.exchange is not None
        heard.exchange.pause()

    heard.on_head = pause
    scene.ask("/a", heard=heard)
    assert scene.cache.filling_bytes == 120_000
    assert heard.exchange is not None
    heard.exchange.cancel()
    assert scene.cache.filling_bytes == 0
