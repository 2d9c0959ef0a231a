"""Where responses are kept: memory, and files that outlive a worker, whatever ends it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skitaid.upstream.cache.disk import DiskStore
from skitaid.upstream.cache.files import Folder, name_of
from skitaid.upstream.cache.freshness import Moments
from skitaid.upstream.cache.generations import Generations
from skitaid.upstream.cache.memory import MAX_VARIANTS, MemoryStore
from skitaid.upstream.cache.stored import Marker, Origin, Stored, decode, encode, encode_marker

NOW = 1_700_000_000.0


def stored(
    key: bytes = b"@api x /a", body: bytes = b"body", *, variant: bytes | None = None, generation: int = 0
) -> Stored:
    made_for = () if variant is None else ((b"accept-encoding", variant or None),)
    fields = ((b"cache-control", b"max-age=60"), (b"etag", b'"1"'), (b"x-name", "é".encode("latin-1")))
    origin = Origin(key, made_for, generation)
    return Stored(origin, (200, b"OK"), fields, body, Moments(NOW - 1, NOW, True, 7))


# ---------------------------------------------------------------- a file's content


@pytest.mark.parametrize("variant", [None, b"", b"gzip"])
@pytest.mark.parametrize("body", [b"", b"\0\xff" * 1000])
def test_what_is_written_is_what_is_read(variant: bytes | None, body: bytes) -> None:
    one = stored(body=body, variant=variant, generation=(1 << 64) - 1)
    other = decode(encode(one))
    assert isinstance(other, Stored)
    for name in ("origin", "fields", "body", "moments", "policy", "validators", "status", "fresh_until"):
        assert getattr(other, name) == getattr(one, name)
    assert other.policy.initial_age_s == 8


def test_markers() -> None:
    marker = Marker(b"key", (b"accept", b"cookie"), 5)
    assert decode(encode_marker(marker)) == marker


def test_what_is_not_whole_is_not_read() -> None:
    data = encode(stored(body=b"0123456789"))
    for length in range(len(data)):
        assert decode(data[:length]) is None
    for at in (0, 9, 13, 21, 25, len(data) - 1):
        broken = bytearray(data)
        broken[at] ^= 1
        assert decode(bytes(broken)) is None
    assert decode(data + b"x") is None
    assert decode(bytes(len(data))) is None


# ---------------------------------------------------------------- memory


def test_memory_keeps_the_newest_of_a_variant() -> None:
    memory = MemoryStore(100_000, entry_limit_bytes=50_000)
    for body in (b"one", b"two"):
        memory.keep(stored(body=body))
        memory.keep(stored(body=body, variant=b"gzip"))
    assert [each.body for each in memory.get(b"@api x /a") or ()] == [b"two", b"two"]
    assert memory.kept_bytes == sum(each.size for each in memory.get(b"@api x /a") or ())


def test_memory_is_bounded() -> None:
    memory = MemoryStore(100_000, entry_limit_bytes=50_000)
    for number in range(200):
        memory.keep(stored(b"%d" % number, bytes(number * 10)))
        assert memory.kept_bytes <= 100_000
    assert memory.get(b"199") is not None
    assert memory.get(b"0") is None
    for number in range(200):
        memory.drop(b"%d" % number)
    assert (memory.kept_bytes, len(memory)) == (0, 0)


def test_memory_bounds_variants() -> None:
    memory = MemoryStore(1 << 20, entry_limit_bytes=50_000)
    for number in range(MAX_VARIANTS * 2):
        memory.keep(stored(variant=b"c%d" % number))
    assert len(memory.get(b"@api x /a") or ()) == MAX_VARIANTS


def test_what_is_too_large_takes_the_place_of_what_was_there() -> None:
    memory = MemoryStore(100_000, entry_limit_bytes=5000)
    memory.keep(stored(body=b"small"))
    memory.keep(stored(body=bytes(5000)))
    assert memory.get(b"@api x /a") is None
    assert memory.kept_bytes == 0


# ---------------------------------------------------------------- generations


def test_workers_agree_on_generations(tmp_path: Path) -> None:
    one, other = Generations(str(tmp_path / "cache")), Generations(str(tmp_path / "cache"))
    assert one.is_shared
    before = other.of(b"key")
    one.renew(b"key")
    assert other.of(b"key") == one.of(b"key") != before
    assert Generations(str(tmp_path / "cache")).of(b"key") == one.of(b"key")


def test_a_worker_without_a_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for table in (Generations(), Generations(str(tmp_path / "file"))):
        before = table.of(b"key")
        table.renew(b"key")
        assert table.of(b"key") != before
        assert not table.is_shared


# ---------------------------------------------------------------- disk


class Threads:
    """Disk threads that work when they are told to."""

    def __init__(self) -> None:
        self.orders: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def do(self, work: Callable[[], None], on_done: Callable[[], None]) -> None:
        self.orders.append((work, on_done))

    def run(self) -> None:
        while self.orders:
            work, on_done = self.orders.pop(0)
            work()
            on_done()


class Worker:
    """One of those that share a folder."""

    def __init__(self, folder: Path, limit_bytes: int = 1 << 20, *, entry_limit_bytes: int = 1 << 18) -> None:
        self.threads = Threads()
        self.troubles: list[str] = []
        self.store = DiskStore(Folder(str(folder), limit_bytes), self.threads, entry_limit_bytes=entry_limit_bytes)
        self.store.on_trouble = self.troubles.append
        self.look(1.0)

    def look(self, now: float) -> None:
        self.store.look_around(now)
        self.threads.run()

    def keep(self, *entries: Stored) -> None:
        for entry in entries:
            self.store.keep(entry)
        self.threads.run()

    def find(self, key: bytes = b"@api x /a", **fields: bytes) -> Stored | None:
        values = {name.replace("_", "-").encode(): value for name, value in fields.items()}
        found: list[Stored | None] = []
        if self.store.may_have(key):
            self.store.find(key, values.get, found.append)
            self.threads.run()
        return found[0] if found else None


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "v1").rglob("*") if path.is_file()]


def test_what_is_kept_outlives_the_worker(tmp_path: Path) -> None:
    Worker(tmp_path).keep(stored(body=b"one"))
    found = Worker(tmp_path).find()
    assert found is not None
    assert found.body == b"one"


def test_what_another_worker_keeps_is_found_within_seconds(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    one.keep(stored())
    assert other.find() is None
    other.look(2.0)
    assert other.find() is None
    other.look(7.0)
    assert other.find() is not None


def test_nothing_is_asked_of_the_disk_for_what_is_not_there(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    assert not worker.store.may_have(b"key")
    assert worker.threads.orders == []


def test_until_it_is_known_what_is_there_the_disk_is_asked(tmp_path: Path) -> None:
    Worker(tmp_path).keep(stored())
    threads = Threads()
    store = DiskStore(Folder(str(tmp_path), 1 << 20), threads, entry_limit_bytes=1 << 18)
    assert store.may_have(b"@api x /a")
    assert store.may_have(b"other")
    store.look_around(1.0)
    threads.run()
    assert store.may_have(b"@api x /a")
    assert not store.may_have(b"other")


def test_variants_on_disk(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.keep(stored(body=b"packed", variant=b"gzip"), stored(body=b"plain", variant=b""))
    for each in (worker, Worker(tmp_path)):
        found = [each.find(accept_encoding=b"gzip;q=0.5"), each.find(), each.find(accept_encoding=b"br")]
        assert [entry and entry.body for entry in found] == [b"packed", b"plain", None]


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.keep(stored(), stored(b"@api x /b", variant=b"gzip"))
    worker.store.drop(b"@api x /a")
    worker.store.drop(b"@api x /b")
    worker.threads.run()
    assert worker.find() is None
    assert worker.find(b"@api x /b", accept_encoding=b"gzip") is None
    assert Worker(tmp_path).find() is None


def test_a_file_that_is_not_whole_is_no_response(tmp_path: Path) -> None:
    Worker(tmp_path).keep(stored(body=bytes(1000)))
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    worker = Worker(tmp_path)
    assert worker.find() is None
    assert files(tmp_path) == []
    assert worker.troubles == []


def test_two_keys_with_the_same_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.keep(stored(b"one"))
    (path,) = files(tmp_path)
    name = name_of(b"two")
    other = tmp_path / "v1" / f"{name >> 56:02x}" / f"{name:016x}"
    other.parent.mkdir(exist_ok=True)
    path.rename(other)
    assert Worker(tmp_path).find(b"two") is None


def test_the_folder_stays_within_its_bound(tmp_path: Path) -> None:
    worker = Worker(tmp_path, 200_000, entry_limit_bytes=50_000)
    for number in range(100):
        worker.keep(stored(b"%d" % number, bytes(5000)))
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 200_000
        worker.look(10.0 * number)
    assert worker.find(b"99") is not None
    assert worker.find(b"0") is None


def test_a_smaller_bound_is_kept_to_from_the_start(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    for number in range(20):
        worker.keep(stored(b"%d" % number, bytes(5000)))
    Worker(tmp_path, 50_000)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 50_000


def test_what_was_used_stays_longer(tmp_path: Path) -> None:
    worker = Worker(tmp_path, 60_000)
    worker.keep(*(stored(b"%d" % number, bytes(5000)) for number in range(10)))
    for path in files(tmp_path):
        os.utime(path, (time.time() - 1000, time.time() - 1000))
    assert worker.find(b"3") is not None
    worker.keep(*(stored(b"new%d" % number, bytes(5000)) for number in range(8)))
    assert worker.find(b"3") is not None
    assert sum(worker.find(b"%d" % number) is None for number in range(10)) >= 5


def test_one_worker_at_a_time_makes_room(tmp_path: Path) -> None:
    one, other = Folder(str(tmp_path), 1000), Folder(str(tmp_path), 1000)
    one.write(1, bytes(2000))
    with other._lock() as is_others:
        assert is_others
        assert not one.make_room()
        assert files(tmp_path)
    assert one.make_room()
    assert files(tmp_path) == []


def test_what_a_killed_writer_left_is_no_response_and_goes(tmp_path: Path) -> None:
    Worker(tmp_path).keep(stored())
    (path,) = files(tmp_path)
    half = path.with_name(f"{path.name}.123-abcdef")
    half.write_bytes(b"half")
    assert Worker(tmp_path).find() is not None
    assert half.exists()
    os.utime(half, (time.time() - 7200, time.time() - 7200))
    Worker(tmp_path)
    assert not half.exists()
    assert path.exists()


def test_what_is_too_large_is_not_written(tmp_path: Path) -> None:
    worker = Worker(tmp_path, entry_limit_bytes=5000)
    worker.keep(stored(body=bytes(6000)))
    assert worker.threads.orders == []
    assert worker.find() is None


def test_a_disk_that_is_behind_gets_no_more(tmp_path: Path) -> None:
    worker = Worker(tmp_path, 1 << 30, entry_limit_bytes=8 << 20)
    for number in range(5):
        worker.store.keep(stored(b"%d" % number, bytes(5 << 20)))
    assert len(worker.threads.orders) == 3
    worker.threads.run()
    worker.keep(stored(b"again", bytes(5 << 20)))
    assert worker.find(b"again") is not None


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    Worker(tmp_path / "cache").keep(stored())
    for path in (tmp_path / "cache").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.keep(stored())
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    tmp_path.rmdir()
    assert worker.find() is None
    worker.keep(stored(b"two"))
    assert worker.find(b"two") is not None
    worker.look(100.0)
    assert not worker.store.may_have(b"@api x /a")


def test_trouble_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    worker = Worker(tmp_path / "file")
    worker.keep(stored(), stored(b"two"))
    assert len(worker.troubles) == 1
    assert str(tmp_path / "file") in worker.troubles[0]
    assert "cache_dir" in worker.troubles[0]
    assert worker.find() is None


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "cache")
    worker.keep(stored())
    (path,) = files(tmp_path / "cache")
    (tmp_path / "other").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "other")
    assert worker.find() is None
