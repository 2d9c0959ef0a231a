from __future__ import annotations

import json
import os
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin

import pytest

from skitaid.handlers.static import listing as module
from skitaid.handlers.static.listing import Entry, Listing, listing_html, listing_json, read_folder
from skitaid.handlers.static.root import StaticRoot
from tests.unit.handlers.static.test_root import open_below

WHEN = 1_600_000_000


class Page(HTMLParser):
    """What a browser makes of a page: the links with their texts, the cells, and every tag."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.links.append((dict(attrs)["href"] or "", ""))
        if tag == "td":
            self.cells.append("")
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "a":
            self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)
        if "td" in self._open[-2:]:
            self.cells[-1] += data


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    return files


def listed(site: Path, *, follows_links: bool = False) -> list[tuple[str, bool, int]]:
    root = StaticRoot(str(site), follows_links=follows_links)
    listing = read_folder(root, root.prefix(0))
    return [(os.fsdecode(entry.name), entry.is_folder, entry.size) for entry in listing.entries]


def test_folders_first_then_by_name(site: Path) -> None:
    for name in ("b.txt", "a.txt", "C.txt"):
        (site / name).write_text(name)
    for name in ("z", "y"):
        (site / name).mkdir()
    folders = [("y", True, 0), ("z", True, 0)]
    assert listed(site) == [*folders, ("C.txt", False, 5), ("a.txt", False, 5), ("b.txt", False, 5)]


def test_what_could_not_be_asked_for_is_not_listed(site: Path) -> None:
    (site / ".env").write_text("secret")
    (site / ".git").mkdir()
    (site / ".well-known").mkdir()
    os.mkfifo(site / "pipe")
    (site / "dangling").symlink_to("nowhere")
    (site / "loop").symlink_to("loop")
    (site / "out.txt").symlink_to("../secret.txt")
    (site / "up").symlink_to("..")
    (site / "a.txt").write_text("a")
    (site / "in.txt").symlink_to("a.txt")
    inside = [(".well-known", True, 0), ("a.txt", False, 1), ("in.txt", False, 1)]
    assert listed(site) == inside
    assert set(listed(site, follows_links=True)) == {*inside, ("out.txt", False, 6), ("up", True, 0)}


def test_a_large_folder_is_cut(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    root = StaticRoot(str(site))
    for number in range(3):
        (site / str(number)).write_text("")
    (site / ".hidden").write_text("")
    assert not read_folder(root, root.prefix(0)).is_cut
    (site / "3").write_text("")
    listing = read_folder(root, root.prefix(0))
    assert (len(listing.entries), listing.is_cut) == (3, True)
    assert b"first 3 are shown" in listing_html("/", listing)


def test_a_folder_swapped_for_a_link_after_the_look(site: Path) -> None:
    """Between looking and reading somebody else is quick."""
    (site / "dir").mkdir()
    root = StaticRoot(str(site))
    real = root.real_path(root.prefix(0) + b"dir")
    assert real is not None
    (site / "dir").rmdir()
    (site / "dir").symlink_to("..")
    with pytest.raises(OSError, match=r"[Nn]ot a directory|[Tt]oo many"):
        read_folder(root, real)


def test_a_deep_folder(site: Path) -> None:
    (site / "a" / "b").mkdir(parents=True)
    (site / "a" / "b" / "c.txt").write_text("c")
    (site / "a" / "b" / "d.txt").symlink_to("c.txt")
    for follows_links in (False, True):
        root = StaticRoot(str(site), follows_links=follows_links)
        listing = read_folder(root, root.prefix(0) + b"a/b")
        assert [entry.name for entry in listing.entries] == [b"c.txt", b"d.txt"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc on this machine")
def test_descriptors_are_not_left_open(site: Path) -> None:
    root = StaticRoot(str(site))
    (site / "a").mkdir()
    for below in (b"", b"a", b"none"):
        with suppress(OSError):
            read_folder(root, root.prefix(0) + below)
    assert open_below(site) == []


def test_a_folder_that_is_gone(site: Path) -> None:
    root = StaticRoot(str(site))
    with pytest.raises(OSError, match="No such file"):
        read_folder(root, root.prefix(0) + b"none")


HOSTILE = [
    b"a b.txt", b'<script>alert("x")</script>', b"'\"&<>", b"a?b#c%20d;e", b"javascript:alert(1)", b"\\evil",
    b"\xff\xfe", "ä€.txt".encode(), b"new\nline", b"&lt", b"..x", b"http:x",
]  # fmt: skip


def test_links_lead_to_the_files_whatever_they_are_called() -> None:
    listing = Listing([Entry(name, False, 1, WHEN) for name in HOSTILE])
    page = Page(listing_html("/pub/", listing))
    assert not page.tags & {"script"}
    for (href, _), name in zip(page.links[1:], HOSTILE, strict=True):
        url = urljoin("http://host.example/pub/", href)
        assert url.startswith("http://host.example/pub/")
        assert unquote_to_bytes(url.removeprefix("http://host.example/pub/")) == name


def test_names_are_shown_as_text() -> None:
    listing = Listing([Entry(b"<b>&amp;</b>", False, 1, WHEN), Entry("ä".encode(), True, 0, WHEN)])
    page = Page(listing_html("/<i>/", listing))
    assert [text for _, text in page.links] == ["../", "<b>&amp;</b>", "ä/"]
    assert not page.tags & {"b", "i"}


def test_the_path_is_decoded_for_people() -> None:
    html = listing_html("/ä/".encode().decode("latin-1"), Listing([])).decode()
    assert "<h1>/ä/</h1>" in html
    assert "This folder is empty." not in html.partition("<h1>")[0]


def test_an_empty_folder_says_so() -> None:
    assert b"This folder is empty." in listing_html("/", Listing([]))
    assert b"../" not in listing_html("/", Listing([]))


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1536, "1.5 kB"), (99_949, "99.9 kB"), (99_950, "100 kB"),
        (999_499, "999 kB"), (999_500, "1.0 MB"), (5 * 10**9, "5.0 GB"), (10**16, "10000 TB"),
    ],
)  # fmt: skip
def test_sizes(size: int, shown: str) -> None:
    page = Page(listing_html("/", Listing([Entry(b"a", False, size, WHEN)])))
    assert page.cells[1] == shown


def test_dates() -> None:
    page = Page(listing_html("/", Listing([Entry(b"a", True, 0, WHEN)])))
    assert [cell.strip() for cell in page.cells] == ["a/", "", "2020-09-13 12:26"]


def test_json() -> None:
    listing = Listing([Entry(b"dir", True, 0, WHEN), Entry('ä"\n'.encode(), False, 5, WHEN)])
    assert json.loads(listing_json(listing)) == [
        {"name": "dir", "type": "directory", "mtime": "Sun, 13 Sep 2020 12:26:40 GMT"},
        {"name": 'ä"\n', "type": "file", "mtime": "Sun, 13 Sep 2020 12:26:40 GMT", "size": 5},
    ]
    assert json.loads(listing_json(Listing([]))) == []


@pytest.mark.parametrize("seconds", [-(10**10), 10**14])
def test_times_that_a_date_has_no_room_for(site: Path, seconds: int) -> None:
    (site / "a").write_text("a")
    try:
        os.utime(site / "a", (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("nor has this file system")
    root = StaticRoot(str(site))
    listing = read_folder(root, root.prefix(0))
    assert json.loads(listing_json(listing))[0]["name"] == "a"
    assert listing_html("/", listing)
