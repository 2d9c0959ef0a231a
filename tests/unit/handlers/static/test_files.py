from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from skitaid.handlers.static import files as module
from skitaid.handlers.static.files import (
    KEPT_FILE_BYTES,
    FileCache,
    FileFinder,
    Folder,
    StaticFile,
    StaticSettings,
)
from skitaid.handlers.static.root import StaticRoot

LONG_AGO = 1_600_000_000


def write(path: Path, content: str | bytes, *, age_s: float = 3600.0) -> Path:
    """A file whose content is as old as that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    touched = time.time() - age_s
    os.utime(path, (touched, touched))
    return path


class Mount:
    """A folder, found in at a time that the test says."""

    def __init__(
        self, root: Path, cache: FileCache | None = None, *, symlinks: bool = False, **settings: object
    ) -> None:
        self.root = root
        self.cache = FileCache() if cache is None else cache
        told = StaticSettings(symlinks=symlinks, **settings)  # type: ignore[arg-type]
        self.finder = FileFinder(StaticRoot(str(root), follows_links=symlinks), told, self.cache)
        self.now = 0.0

    def find(self, path: str) -> StaticFile | Folder | None:
        return self.finder.find(path, self.now)

    def file(self, path: str) -> StaticFile:
        found = self.find(path)
        assert isinstance(found, StaticFile)
        return found

    def body(self, path: str) -> bytes | None:
        return self.file(path).body

    def pass_time(self, seconds: float = 1.1) -> None:
        self.now += seconds


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as untouched for a while however new they are."""
    monkeypatch.setattr(module, "_SETTLED_S", -60.0)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path)


# ---------------------------------------------------------------- what a path stands for


def test_a_file(mount: Mount) -> None:
    write(mount.root / "css" / "a.css", "body{}")
    file = mount.file("/css/a.css")
    assert (file.body, file.size, file.content_type) == (b"body{}", 6, "text/css; charset=utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/a.css/",
        "/a.css/x",
        "/dir",
        "/dir/",
        "/.env",
        "/dir/../a.css",
        "/x" * 5000,
        "/a\0b",
        "/\xff",
        "/.",
        "",
    ],
)
def test_nothing(mount: Mount, path: str) -> None:
    write(mount.root / "a.css", "body{}")
    write(mount.root / ".env", "secret")
    (mount.root / "dir").mkdir()
    assert mount.find(path) is None


def test_a_name_in_any_encoding(mount: Mount) -> None:
    write(mount.root / "ä.txt", "utf-8")
    (mount.root / os.fsdecode(b"\xe4.txt")).write_text("latin-1")
    assert mount.body("/ä.txt".encode().decode("latin-1")) == b"utf-8"
    assert mount.body("/\xe4.txt") == b"latin-1"


def test_a_pipe_is_no_file(mount: Mount) -> None:
    os.mkfifo(mount.root / "pipe")
    assert mount.find("/pipe") is None


def test_a_folder_with_an_index(mount: Mount) -> None:
    write(mount.root / "dir" / "index.html", "html")
    assert mount.body("/dir/") == b"html"
    assert mount.find("/dir") == Folder(os.fsencode(os.path.realpath(mount.root / "dir")), needs_slash=True)
    write(mount.root / "dir" / "index.htm", "htm")
    mount.pass_time()
    assert mount.body("/dir/") == b"htm", "the first name goes first"


def test_other_names_for_an_index(tmp_path: Path) -> None:
    mount = Mount(tmp_path, index=("start.html",))
    write(tmp_path / "index.html", "index")
    assert mount.find("/") is None
    write(tmp_path / "start.html", "start")
    assert mount.body("/") == b"start"


def test_an_index_that_is_a_folder_is_none(mount: Mount) -> None:
    (mount.root / "index.html").mkdir()
    assert mount.find("/") is None


def test_a_folder_without_an_index_is_not_searched_again_and_again(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real_stat = os.stat

    def stat_and_note(path: bytes) -> os.stat_result:
        looked.append(os.path.basename(os.fsdecode(path)))
        return real_stat(path)

    os.utime(mount.root, (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(module.os, "stat", stat_and_note)
    for _ in range(3):
        assert mount.find("/") is None
    assert looked.count("index.html") == 1
    mount.pass_time()
    assert mount.find("/") is None
    assert looked.count("index.html") == 2


def test_an_index_that_appears_is_seen_at_once(mount: Mount) -> None:
    os.utime(mount.root, (LONG_AGO, LONG_AGO))
    assert mount.find("/") is None
    write(mount.root / "index.html", "index")
    assert mount.body("/") == b"index"


def test_folders_without_an_index_take_little_memory(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BARE", 5)
    for number in range(20):
        folder = mount.root / str(number)
        folder.mkdir()
        os.utime(folder, (LONG_AGO, LONG_AGO))
        assert mount.find(f"/{number}/") is None
        assert len(mount.finder._bare) <= 5


def test_a_folder_is_listed_if_that_is_wanted(tmp_path: Path) -> None:
    mount = Mount(tmp_path, listing=True)
    (tmp_path / "dir").mkdir()
    real = os.fsencode(os.path.realpath(tmp_path))
    assert mount.find("/") == Folder(real, needs_slash=False)
    assert mount.find("/dir") == Folder(real + b"/dir", needs_slash=True)
    write(tmp_path / "index.html", "index")
    assert mount.body("/") == b"index"


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "secret" / "index.html", "secret")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "link").symlink_to("../secret")
    (tmp_path / "site" / "link.html").symlink_to("../secret/index.html")
    strict, free = Mount(tmp_path / "site", listing=True), Mount(tmp_path / "site", symlinks=True)
    for path in ("/link", "/link/", "/link.html", "/link/index.html"):
        assert strict.find(path) is None
        assert free.find(path) is not None
    assert free.body("/link.html") == b"secret"


# ---------------------------------------------------------------- what is told of it


def test_fields(tmp_path: Path) -> None:
    mount = Mount(tmp_path, max_age_s=77)
    os.utime(write(tmp_path / "a.js", "x"), (LONG_AGO, LONG_AGO))
    file = mount.file("/a.js")
    etag = f'"{LONG_AGO * 10**9:x}-1"'
    assert dict(file.fields) == {
        "Content-Type": "text/javascript; charset=utf-8", "Last-Modified": "Sun, 13 Sep 2020 12:26:40 GMT",
        "ETag": etag, "Cache-Control": "max-age=77", "Accept-Ranges": "bytes",
    }  # fmt: skip
    assert dict(file.bare_fields) == {"ETag": etag, "Cache-Control": "max-age=77"}
    assert (file.validators.etag, file.validators.modified) == (etag.encode(), LONG_AGO)


def test_a_file_from_the_future_is_from_now(mount: Mount) -> None:
    """RFC 9110 section 8.8.2.1."""
    write(mount.root / "a", "x", age_s=-1e6)
    assert mount.file("/a").validators.modified <= time.time()


@pytest.mark.parametrize("seconds", [-1, -(10**9), 10**11])
def test_times_that_a_date_has_no_room_for(mount: Mount, seconds: int) -> None:
    path = write(mount.root / "a", "x")
    try:
        os.utime(path, (seconds, seconds))
    except OSError:
        pytest.skip("nor has this file system")
    assert mount.body("/a") == b"x"


# ---------------------------------------------------------------- how long it counts


def test_a_change_is_seen_after_a_second(mount: Mount) -> None:
    path = write(mount.root / "a", "old")
    before = mount.file("/a")
    write(path, "newer", age_s=1800)
    mount.pass_time(0.9)
    assert mount.file("/a") is before
    mount.pass_time(0.2)
    after = mount.file("/a")
    assert (after.body, after.size) == (b"newer", 5)
    assert after.validators.etag != before.validators.etag


@pytest.mark.usefixtures("settled")
def test_what_did_not_change_is_not_read_again(mount: Mount) -> None:
    write(mount.root / "a", "same")
    before = mount.file("/a")
    mount.pass_time()
    assert mount.file("/a") is before


def test_a_change_that_keeps_size_and_time(mount: Mount) -> None:
    """As rsync and cp -p make them: the inode's own time stamp gives them away."""
    path = write(mount.root / "a", "old")
    kept = path.stat()
    assert mount.body("/a") == b"old"
    path.write_text("new")
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    mount.pass_time()
    assert mount.body("/a") == b"new"


def test_a_file_that_was_just_written_is_read_again(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stamps are some milliseconds apart: a second change within the same one looks like none."""
    path = write(mount.root / "a", "old")
    assert mount.body("/a") == b"old"
    monkeypatch.setattr(module, "version_of", lambda status: (1, 2, 3, 4, 5))
    path.write_text("new")
    mount.pass_time()
    assert mount.body("/a") == b"new"


def test_a_file_that_is_gone_after_a_second(mount: Mount) -> None:
    path = write(mount.root / "a", "x")
    mount.file("/a")
    path.unlink()
    mount.pass_time()
    assert mount.find("/a") is None
    assert len(mount.cache) == 0
    assert mount.cache.kept_bytes == 0


def test_a_file_that_becomes_a_link_out(tmp_path: Path) -> None:
    write(tmp_path / "secret", "secret")
    path = write(tmp_path / "site" / "a", "x")
    mount = Mount(tmp_path / "site")
    mount.file("/a")
    path.unlink()
    path.symlink_to("../secret")
    mount.pass_time()
    assert mount.find("/a") is None


def test_a_new_file_is_seen_at_once(mount: Mount) -> None:
    """Apps make files, and send their client to them."""
    assert mount.find("/a") is None
    write(mount.root / "a", "x")
    assert mount.body("/a") == b"x"


# ---------------------------------------------------------------- what is kept


def test_large_files_are_not_kept(mount: Mount) -> None:
    write(mount.root / "large", b"x" * (KEPT_FILE_BYTES + 1))
    write(mount.root / "small", b"x" * KEPT_FILE_BYTES)
    assert mount.file("/large").body is None
    assert mount.file("/small").body == b"x" * KEPT_FILE_BYTES
    assert mount.cache.kept_bytes < KEPT_FILE_BYTES + 10_000


def test_an_empty_file(mount: Mount) -> None:
    write(mount.root / "empty", b"")
    assert mount.file("/empty").body == b""


def test_the_cache_is_bounded_and_forgets_what_was_not_asked_for(tmp_path: Path) -> None:
    mount = Mount(tmp_path, FileCache(limit_bytes=50_000))
    for number in range(20):
        write(tmp_path / str(number), b"x" * 5000)
    mount.file("/0")
    for number in range(1, 20):
        mount.file(f"/{number}")
        mount.pass_time()
        mount.file("/0")
        assert mount.cache.kept_bytes <= 50_000
    kept = [number for number in range(20) if (mount.finder, f"/{number}") in mount.cache._files]
    assert kept[0] == 0
    assert kept[1:] == list(range(20 - len(kept) + 1, 20))
    for number in range(20):
        (tmp_path / str(number)).unlink()
    mount.pass_time()
    for number in range(20):
        assert mount.find(f"/{number}") is None
    assert (len(mount.cache), mount.cache.kept_bytes) == (0, 0)


def test_one_cache_for_several_mounts(tmp_path: Path) -> None:
    cache = FileCache()
    write(tmp_path / "one" / "a", "1")
    write(tmp_path / "two" / "a", "2")
    one, two = Mount(tmp_path / "one", cache, max_age_s=1), Mount(tmp_path / "two", cache, max_age_s=2)
    assert (one.body("/a"), two.body("/a"), one.body("/a")) == (b"1", b"2", b"1")
    assert len(cache) == 2


def test_other_ways_to_write_an_address_do_not_fill_the_cache(mount: Mount) -> None:
    write(mount.root / "dir" / "a", "x")
    for slashes in range(1, 30):
        assert mount.body(f"/dir{'/' * slashes}a") == b"x"
        assert mount.body(f"{'/' * slashes}dir/a") == b"x"
    assert len(mount.cache) == 1


def test_a_file_written_while_it_is_read_is_not_kept(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(mount.root / "a", "12345")
    real_preadv = os.preadv

    def preadv(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        count = real_preadv(fd, buffers, offset)
        path.write_text("54321")
        return count

    monkeypatch.setattr(module.os, "preadv", preadv)
    assert mount.file("/a").body is None
    monkeypatch.undo()
    mount.pass_time()
    assert mount.file("/a").body == b"54321"


def test_what_is_not_in_memory_is_not_waited_for(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    write(mount.root / "a", "cold")

    def preadv(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(module.os, "preadv", preadv)
    assert mount.file("/a").body is None
    mount.pass_time()
    assert mount.file("/a").body is None
    monkeypatch.undo()
    mount.pass_time()
    assert mount.file("/a").body == b"cold"


def test_a_file_system_that_can_not_tell(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    write(mount.root / "a", "x")

    def preadv(*_: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(module.os, "preadv", preadv)
    assert mount.file("/a").body == b"x"


# ---------------------------------------------------------------- compressed neighbours


def codings(file: StaticFile) -> list[bytes | None]:
    return [variant.coding for variant in file.variants]


def test_neighbours(mount: Mount) -> None:
    for name in ("a.js", "a.js.gz", "a.js.br"):
        os.utime(write(mount.root / name, name), (LONG_AGO, LONG_AGO))
    file = mount.file("/a.js")
    assert codings(file) == [b"br", b"gzip"]
    for variant, (ending, name) in zip(file.variants, ((".br", "br"), (".gz", "gzip")), strict=True):
        fields = dict(variant.fields)
        assert variant.body == b"a.js" + ending.encode()
        assert fields["Content-Type"] == "text/javascript; charset=utf-8"
        assert fields["Content-Encoding"] == name
    every = [file, *file.variants]
    assert len({each.validators.etag for each in every}) == 3
    assert all(("Vary", "Accept-Encoding") in fields for each in every for fields in (each.fields, each.bare_fields))


def test_a_neighbour_asked_for_by_name_is_a_file_like_others(mount: Mount) -> None:
    write(mount.root / "a.js", "plain")
    write(mount.root / "a.js.gz", "packed")
    write(mount.root / "a.js.gz.br", "never")
    file = mount.file("/a.js.gz")
    assert (file.body, file.content_type, file.variants) == (b"packed", "application/gzip", ())
    assert "Content-Encoding" not in dict(file.fields)
    assert "Vary" not in dict(file.fields)


def test_an_old_neighbour_is_left_alone(mount: Mount) -> None:
    write(mount.root / "a.js", "new", age_s=100)
    path = write(mount.root / "a.js.gz", "old", age_s=200)
    assert mount.file("/a.js").variants == ()
    assert "Vary" not in dict(mount.file("/a.js").fields)
    os.utime(path)
    mount.pass_time()
    assert codings(mount.file("/a.js")) == [b"gzip"]


def test_parts_of_a_second_do_not_count(mount: Mount) -> None:
    """Many tools copy a time stamp without them."""
    path, packed = write(mount.root / "a.js", "x"), write(mount.root / "a.js.gz", "y")
    os.utime(path, (LONG_AGO, LONG_AGO + 0.9))
    os.utime(packed, (LONG_AGO, LONG_AGO))
    assert codings(mount.file("/a.js")) == [b"gzip"]


def test_a_neighbour_that_comes_and_goes(mount: Mount) -> None:
    write(mount.root / "a.js", "plain")
    assert "Vary" not in dict(mount.file("/a.js").fields)
    packed = write(mount.root / "a.js.gz", "packed")
    mount.pass_time()
    file = mount.file("/a.js")
    assert codings(file) == [b"gzip"]
    assert "Vary" in dict(file.fields)
    assert b"Vary" in file.head
    write(packed, "packed anew", age_s=1800)
    mount.pass_time()
    assert mount.file("/a.js").variants[0].body == b"packed anew"
    packed.unlink()
    mount.pass_time()
    file = mount.file("/a.js")
    assert (file.variants, "Vary" in dict(file.fields), file.body) == ((), False, b"plain")
    assert mount.cache.kept_bytes == file.cost


@pytest.mark.usefixtures("settled")
def test_a_neighbour_that_did_not_change_is_not_read_again(mount: Mount) -> None:
    write(mount.root / "a.js", "plain")
    write(mount.root / "a.js.gz", "packed")
    before = mount.file("/a.js").variants[0]
    mount.pass_time()
    assert mount.file("/a.js").variants[0] is before


# ---------------------------------------------------------------- compressed here

TEXT = b"body { color: black }\n" * 200


def test_small_text_is_compressed(mount: Mount) -> None:
    write(mount.root / "a.css", TEXT)
    file = mount.file("/a.css")
    (packed,) = file.variants
    assert packed.body is not None
    assert gzip.decompress(packed.body) == TEXT
    assert (packed.size, packed.coding, packed.is_packed) == (len(packed.body), b"gzip", True)
    assert dict(packed.fields)["Content-Type"] == "text/css; charset=utf-8"
    assert packed.validators.etag != file.validators.etag
    for each in (file, packed):
        assert ("Vary", "Accept-Encoding") in each.fields
        assert ("Vary", "Accept-Encoding") in each.bare_fields


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", TEXT),
        ("a.css", TEXT[:999]),
        ("a.css", os.urandom(4000)),
        ("a.css.gz", TEXT),
        ("a.css", TEXT * 20),
        ("README", TEXT),
    ],
)
def test_what_does_not_pay_is_not_compressed(mount: Mount, name: str, content: bytes) -> None:
    write(mount.root / name, content)
    assert mount.file(f"/{name}").variants == ()


def test_nothing_is_compressed_if_that_is_not_wanted(tmp_path: Path) -> None:
    mount = Mount(tmp_path, gzip=False)
    write(tmp_path / "a.css", TEXT)
    assert mount.file("/a.css").variants == ()
    assert "Vary" not in dict(mount.file("/a.css").fields)


def test_a_compressed_neighbour_goes_before(mount: Mount) -> None:
    write(mount.root / "a.css", TEXT)
    write(mount.root / "a.css.br", "br")
    assert [(each.coding, each.is_packed) for each in mount.file("/a.css").variants] == [
        (b"br", False), (b"gzip", True),
    ]  # fmt: skip
    write(mount.root / "a.css.gz", "gz")
    mount.pass_time()
    assert [(each.coding, each.is_packed) for each in mount.file("/a.css").variants] == [
        (b"br", False), (b"gzip", False),
    ]  # fmt: skip
    (mount.root / "a.css.gz").unlink()
    mount.pass_time()
    assert [each.is_packed for each in mount.file("/a.css").variants] == [False, True]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", [TEXT, os.urandom(4000)])
def test_a_file_is_compressed_once(mount: Mount, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    packed: list[bytes] = []

    def compress(body: bytes) -> bytes | None:
        packed.append(body)
        return real_compress(body)

    real_compress = module.compress
    monkeypatch.setattr(module, "compress", compress)
    path = write(mount.root / "a.css", content)
    for _ in range(3):
        mount.file("/a.css")
        mount.pass_time()
    assert packed == [content]
    write(path, b"new" * 1000, age_s=5)
    mount.file("/a.css")
    assert packed == [content, b"new" * 1000]


def test_what_is_compressed_counts(mount: Mount) -> None:
    write(mount.root / "a.css", TEXT)
    file = mount.file("/a.css")
    assert file.cost > len(TEXT) + len(file.variants[0].body or b"")


def test_a_neighbour_that_is_no_plain_file(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "site")
    write(tmp_path / "secret", "secret", age_s=0)
    write(tmp_path / "site" / "a.js", "plain")
    (tmp_path / "site" / "a.js.gz").symlink_to("../secret")
    (tmp_path / "site" / "a.js.br").mkdir()
    assert mount.file("/a.js").variants == ()
