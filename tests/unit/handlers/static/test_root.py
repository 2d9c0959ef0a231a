from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from skitaid.handlers.static.root import StaticRoot, is_hidden


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """site/files is served; a secret lies beside it."""
    files = tmp_path / "site" / "files"
    (files / "deep" / "deeper").mkdir(parents=True)
    (files / "a.txt").write_text("a")
    (files / "deep" / "deeper" / "b.txt").write_text("b")
    (tmp_path / "site" / "secret.txt").write_text("secret")
    (tmp_path / "site" / "files-too").mkdir()
    (tmp_path / "site" / "files-too" / "c.txt").write_text("secret")
    return files


def read(root: StaticRoot, below: str, now: float = 0.0) -> bytes | None:
    """What lies at a path below the root; None when it leads outside."""
    real = root.real_path(root.prefix(now) + below.encode())
    if real is None:
        return None
    fd, status = root.open(real)
    try:
        return os.pread(fd, status.st_size, 0)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("raw", "hidden"),
    [
        (b"", False),
        (b"a/b.txt", False),
        (b"a./b..c/d...", False),
        (b".env", True),
        (b"a/.git/config", True),
        (b"..", True),
        (b"a/../b", True),
        (b"a/./b", True),
        (b"...", True),
        (b".well-known/acme-challenge/x", False),
        (b"a/.well-known/x", False),
        (b".well-known/.env", True),
        (b".well-knownx", True),
        (b"/.env", True),
    ],
)
def test_hidden(raw: bytes, hidden: bool) -> None:
    assert is_hidden(raw) is hidden


def test_what_lies_inside_is_read(site: Path) -> None:
    root = StaticRoot(str(site))
    assert read(root, "a.txt") == b"a"
    assert read(root, "deep/deeper/b.txt") == b"b"
    assert read(root, "deep//deeper/../deeper/b.txt") == b"b"


def test_links_within_are_followed(site: Path) -> None:
    (site / "link").symlink_to("deep/deeper")
    (site / "link.txt").symlink_to(site / "a.txt")
    root = StaticRoot(str(site))
    assert read(root, "link/b.txt") == b"b"
    assert read(root, "link.txt") == b"a"


Plant = Callable[[Path], str]


def link_to_file(site: Path) -> str:
    (site / "x").symlink_to("../secret.txt")
    return "x"


def link_to_folder(site: Path) -> str:
    (site / "x").symlink_to("..")
    return "x/secret.txt"


def link_over_two(site: Path) -> str:
    (site / "y").symlink_to("../secret.txt")
    (site / "deep" / "x").symlink_to("../y")
    return "deep/x"


def link_to_a_name_that_begins_alike(site: Path) -> str:
    (site / "x").symlink_to("../files-too/c.txt")
    return "x"


def link_to_root(site: Path) -> str:
    (site / "x").symlink_to("/")
    return f"x{site.parent}/secret.txt"


def no_link_at_all(site: Path) -> str:
    return "../secret.txt"


@pytest.mark.parametrize(
    "plant",
    [link_to_file, link_to_folder, link_over_two, link_to_a_name_that_begins_alike, link_to_root, no_link_at_all],
)
def test_nothing_outside(site: Path, plant: Plant) -> None:
    path = plant(site)
    assert read(StaticRoot(str(site)), path) is None
    if plant is not no_link_at_all:
        assert read(StaticRoot(str(site), follows_links=True), path) == b"secret"


def test_a_folder_swapped_for_a_link_after_the_look(site: Path) -> None:
    """Between looking and opening somebody else is quick."""
    root = StaticRoot(str(site))
    real = root.real_path(root.prefix(0) + b"deep/deeper/b.txt")
    assert real is not None
    (site.parent / "deeper").mkdir()
    (site.parent / "deeper" / "b.txt").write_text("secret")
    (site / "deep").rename(site / "was")
    (site / "deep").symlink_to("..")
    assert Path(os.fsdecode(real)).read_text() == "secret"
    with pytest.raises(OSError, match=r"[Nn]ot a directory|[Tt]oo many"):
        root.open(real)


def test_a_file_swapped_for_a_link_after_the_look(site: Path) -> None:
    for follows_links in (False, True):
        root = StaticRoot(str(site), follows_links=follows_links)
        real = root.real_path(root.prefix(0) + b"a.txt")
        assert real is not None
        (site / "a.txt").unlink()
        (site / "a.txt").symlink_to("../secret.txt")
        with pytest.raises(OSError, match=r"[Tt]oo many"):
            root.open(real)
        (site / "a.txt").unlink()
        (site / "a.txt").write_text("a")


def test_only_regular_files_are_opened(site: Path) -> None:
    """A pipe without a writer must not hold the loop."""
    os.mkfifo(site / "pipe")
    root = StaticRoot(str(site))
    prefix = root.prefix(0)
    for name in (b"pipe", b"deep"):
        with pytest.raises(OSError, match="not a regular file"):
            root.open(prefix + name)


def open_below(folder: Path) -> list[str]:
    """What this process has open in a folder, or the folder itself."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return [link for link in links if link.startswith(os.path.realpath(folder))]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc on this machine")
def test_descriptors_are_not_left_open(site: Path) -> None:
    root = StaticRoot(str(site))
    prefix = root.prefix(0)
    for name in (b"deep/deeper/b.txt", b"deep/deeper/none", b"deep/none/b.txt", b"deep"):
        with suppress(OSError):
            os.close(root.open(prefix + name)[0])
    assert open_below(site) == []
    fd = root.open_folder(prefix)
    assert len(open_below(site)) == 1
    os.close(fd)


def test_a_root_that_is_a_link_is_looked_at_again(site: Path) -> None:
    """The usual way to switch to a new release."""
    release = site.parent / "current"
    release.symlink_to("files")
    root = StaticRoot(str(release))
    assert read(root, "a.txt", now=100.0) == b"a"
    new = site.parent / "new"
    new.mkdir()
    (new / "a.txt").write_text("new")
    release.unlink()
    release.symlink_to("new")
    assert read(root, "a.txt", now=100.5) == b"a"
    assert read(root, "a.txt", now=101.5) == b"new"


def test_the_root_of_the_machine(site: Path) -> None:
    root = StaticRoot("/")
    assert root.prefix(0) == b"/"
    assert read(root, str(site / "a.txt").lstrip("/")) == b"a"


def test_a_name_that_is_no_text(site: Path) -> None:
    (site / os.fsdecode(b"\xff\xfe")).write_text("raw")
    root = StaticRoot(str(site))
    real = root.real_path(root.prefix(0) + b"\xff\xfe")
    assert real is not None
    os.close(root.open(real)[0])
