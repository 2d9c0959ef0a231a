"""explain tells what the static handler does: both are asked here."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli.explain_static import Outcome, look_for
from skitaid.config.model import MountOptions, Server
from skitaid.handlers.static.files import FileCache, FileFinder, Folder, StaticFile
from skitaid.handlers.static.root import StaticRoot
from skitaid.instance.compose import static_settings

PATHS = [
    "", "/", "/logo.svg", "/logo.svg/", "/none", "/none/", "/inner", "/inner/", "/bare", "/bare/", "/.git/config",
    "/../secret.txt", "/link.txt", "/up", "/up/", "/up/secret.txt", "/dangling", "//logo.svg", "/inner//index.html",
]  # fmt: skip
OPTIONS = {
    "plain": MountOptions(),
    "listing": MountOptions(listing=True),
    "symlinks": MountOptions(symlinks=True, listing=True),
    "try": MountOptions(try_="/inner/index.html"),
    "try without a slash": MountOptions(try_="inner/index.html"),
    "try in vain": MountOptions(try_="/none.html"),
    "try a link": MountOptions(try_="/link.txt"),
    "index": MountOptions(index=("start.html",)),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    (files / "inner").mkdir(parents=True)
    (files / "bare").mkdir()
    (files / "inner" / "index.html").write_text("index")
    (files / "bare" / "start.html").write_text("start")
    (files / "logo.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "index.html").write_text("secret")
    (files / "link.txt").symlink_to("../secret.txt")
    (files / "up").symlink_to("..")
    (files / "dangling").symlink_to("nowhere")
    return files


def served(site: Path, path: str, options: MountOptions) -> Outcome:
    """What the handler does, in the words of `explain`."""
    settings = static_settings(options, Server())
    finder = FileFinder(StaticRoot(str(site), follows_links=options.symlinks), settings, FileCache())
    found = finder.find(path, 0.0)
    if found is None and settings.fallback is not None and not path.startswith(("/.git", "/..")):
        fallback = finder.find("/" + settings.fallback.lstrip("/"), 0.0)
        found = fallback if isinstance(fallback, StaticFile) else None
    if isinstance(found, Folder):
        return Outcome.REDIRECT if found.needs_slash else Outcome.LISTING
    return Outcome.MISSING if found is None else Outcome.FILE


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_told_is_what_is_served(site: Path, path: str, options: MountOptions) -> None:
    assert look_for(site, path, options)[0] is served(site, path, options)


def test_the_reason_is_told(site: Path) -> None:
    assert "symlinks = yes" in look_for(site, "/link.txt")[1]
    assert "has no index.htm or index.html" in look_for(site, "/bare/")[1]
    assert "stands in" in look_for(site, "/none", MountOptions(try_="/inner/index.html"))[1]
    assert "nor the one of try" in look_for(site, "/none", MountOptions(try_="/none.html"))[1]
    assert "list of the files" in look_for(site, "/bare/", MountOptions(listing=True))[1]
