from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.config.fields import Place
from skitaid.config.model import AppTarget, ProxyTarget, StaticTarget
from skitaid.config.report import UnfitError
from skitaid.config.targets import parse_target, show_target

ALIASES = {"search": "http", "db": "postgresql"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for folder in ("www", "package", "both", "odd:name"):
        (tmp_path / folder).mkdir()
    for file in ("wsgi.py", "package/__init__.py", "both.py", "www/app.py", "plain"):
        (tmp_path / file).write_text("", encoding="utf-8")
    return Place(str(tmp_path / "x.conf"), tmp_path, tmp_path / "cert")


@pytest.mark.parametrize(
    ("text", "module", "name"),
    [
        ("wsgi", "wsgi.py", "app"),
        ("wsgi.py", "wsgi.py", "app"),
        ("wsgi:application", "wsgi.py", "application"),
        ("./www/../wsgi.py:app", "wsgi.py", "app"),
        ("www/app:make.app", "www/app.py", "make.app"),
        ("package", "package", "app"),
        ("package:main", "package", "main"),
        ("both:app", "both.py", "app"),
    ],
)
def test_apps(place: Place, text: str, module: str, name: str) -> None:
    found = parse_target(text, place, ALIASES)
    assert found == AppTarget(place.folder / module, name)
    assert parse_target(show_target(found), place, ALIASES) == found


@pytest.mark.parametrize(
    ("text", "module", "name", "kind"),
    [
        ("asgi:wsgi:app", "wsgi.py", "app", "asgi"),
        ("asgi:./wsgi", "wsgi.py", "app", "asgi"),
        ("asgi: ./wsgi.py:main", "wsgi.py", "main", "asgi"),
        ("wsgi:www/app:make.app", "www/app.py", "make.app", "wsgi"),
        ("wsgi:package:main", "package", "main", "wsgi"),
        ("wsgi:./package", "package", "app", "wsgi"),
        # a file called wsgi.py, and a callable in it
        ("wsgi:application", "wsgi.py", "application", None),
        ("wsgi:make.app", "wsgi.py", "make.app", None),
    ],
)
def test_apps_of_a_kind(place: Place, text: str, module: str, name: str, kind: str | None) -> None:
    found = parse_target(text, place, ALIASES)
    assert found == AppTarget(place.folder / module, name, kind)
    assert parse_target(show_target(found), place, ALIASES) == found


@pytest.mark.parametrize(
    ("text", "root"),
    [("www", "www"), ("www/", "www"), ("both", "both"), ("package/", "package"), ("odd:name", "odd:name")],
)
def test_folders(place: Place, text: str, root: str) -> None:
    found = parse_target(text, place, ALIASES)
    assert found == StaticTarget(place.folder / root)
    assert parse_target(show_target(found), place, ALIASES) == found


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("@search", ProxyTarget("search")),
        ("@search/v2", ProxyTarget("search", "/v2")),
        ("@search/", ProxyTarget("search", "/")),
    ],
)
def test_aliases(place: Place, text: str, target: ProxyTarget) -> None:
    assert parse_target(text, place, ALIASES) == target
    assert show_target(target) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("wsgy:app", "did you mean wsgi.py?"),
        ("ww", "did you mean www?"),
        ("www:app", "name one of its modules: app"),
        ("gone/app:app", "its folder is missing too"),
        ("plain", "name the folder that holds it"),
        ("wsgi:1x", "PATH/MODULE:CALLABLE"),
        ("@serch", "did you mean @search?"),
        ("@db", "apps reach it by its name"),
        ("https://a.example", "define [@name]"),
        ("asgi:@search", "write it without asgi:"),
        ("wsgi:www/", "write wsgi:PATH/MODULE:CALLABLE"),
        ("asgi:wsgy:app", "did you mean wsgi.py?"),
        ("asgi:./www", "name one of its modules: app"),
    ],
)
def test_what_leads_nowhere(place: Place, text: str, hint: str) -> None:
    with pytest.raises(UnfitError) as caught:
        parse_target(text, place, ALIASES)
    assert hint in caught.value.fix


def test_a_switched_link_stays_a_link(place: Place) -> None:
    (place.folder / "current").symlink_to("www")
    assert parse_target("current/app", place, ALIASES) == AppTarget(place.folder / "current" / "app.py")


@pytest.mark.parametrize("text", ["~/site/app.py", "~/static/", "wsgi:~/site:app"])
def test_a_home_is_written_out(place: Place, text: str) -> None:
    with pytest.raises(UnfitError, match="~ is not read here") as info:
        parse_target(text, place, ALIASES)
    assert info.value.fix.startswith(f"write the whole path, such as {Path.home()}/")
