from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skitaid.cli.options import UsageError
from skitaid.cli.run_plan import Route, plan_for


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def routes(path: Path | str) -> tuple[Route, ...]:
    return plan_for(str(path)).routes


@pytest.mark.parametrize(
    ("text", "callable_"),
    [
        ("app = 1", "app"),
        ("application = 1", "application"),
        ("def application(environ, start_response): ...", "application"),
        ("application = app = 1", "app"),
        ("async def app(scope, receive, send): ...", "app"),
        ("class app: ...", "app"),
        ("from site import main as app", "app"),
        ("app: object = 1", "app"),
        ("try:\n    import x\nexcept ImportError:\n    x = 1\nif x:\n    app = x", "app"),
        ("def broken(:", "app"),
    ],
)
def test_a_file_is_mounted_with_the_callable_it_defines(tmp_path: Path, text: str, callable_: str) -> None:
    path = put(tmp_path / "site.py", text)
    assert routes(path) == (Route("/", f"{path}:{callable_}"),)


def test_the_callable_may_be_named(tmp_path: Path) -> None:
    path = put(tmp_path / "site.py", "app = main = 1")
    assert routes(f"{path}:main") == (Route("/", f"{path}:main"),)


def test_a_folder_with_an_app_serves_it_and_its_static_files(tmp_path: Path) -> None:
    app = put(tmp_path / "app.py", "app = 1")
    assert routes(tmp_path) == (Route("/", f"{app}:app"),)
    put(tmp_path / "static" / "a.css")
    assert routes(tmp_path) == (Route("/", f"{app}:app"), Route("/static", f"{tmp_path}/static"))


def test_a_package_is_mounted_as_one(tmp_path: Path) -> None:
    put(tmp_path / "pkg" / "__init__.py", "app = 1")
    assert routes(tmp_path / "pkg") == (Route("/", f"{tmp_path}/pkg:app"),)


def test_any_other_folder_is_served_as_files(tmp_path: Path) -> None:
    put(tmp_path / "app.py", "print('no callable here')")
    assert routes(tmp_path) == (Route("/", str(tmp_path), listing=True),)


def test_a_django_project_is_served_and_not_listed(tmp_path: Path) -> None:
    put(tmp_path / "manage.py")
    put(tmp_path / "shop" / "__init__.py")
    with pytest.raises(UsageError, match=r"no wsgi\.py or asgi\.py below it"):
        plan_for(str(tmp_path))
    put(tmp_path / "shop" / "asgi.py", "application = 1")
    assert routes(tmp_path) == (Route("/", f"{tmp_path}/shop/asgi.py:application"),)
    put(tmp_path / "shop" / "wsgi.py", "application = 1")
    assert routes(tmp_path) == (Route("/", f"{tmp_path}/shop/wsgi.py:application"),)


def test_the_environment_of_a_project_is_used(tmp_path: Path) -> None:
    source = put(tmp_path / "shop" / "wsgi.py", "application = 1")
    put(tmp_path / "shop" / "__init__.py")
    assert plan_for(str(source)).python is None
    put(tmp_path / "venv" / "pyvenv.cfg")
    assert plan_for(str(source)).python == tmp_path / "venv"
    assert f"port = 5001\npython = {tmp_path}/venv\n" in plan_for(str(source)).conf("127.0.0.1", 5001)
    put(tmp_path / ".venv" / "pyvenv.cfg")
    assert plan_for(str(source)).python == tmp_path / ".venv"
    assert plan_for(str(tmp_path)).python is None  # a folder of files


def test_the_environment_that_is_active_goes_first_but_for_our_own(tmp_path: Path) -> None:
    source = put(tmp_path / "site" / "app.py", "app = 1")
    put(tmp_path / "site" / "venv" / "pyvenv.cfg")
    active = put(tmp_path / "other" / "pyvenv.cfg").parent
    assert plan_for(str(source), {"VIRTUAL_ENV": str(active)}).python == active
    assert plan_for(str(source), {"VIRTUAL_ENV": sys.prefix}).python == tmp_path / "site" / "venv"
    assert plan_for(str(source), {"VIRTUAL_ENV": "/gone"}).python == tmp_path / "site" / "venv"


def test_names_are_plain_and_keys_are_the_path_s_own(tmp_path: Path) -> None:
    first = plan_for(str(put(tmp_path / "a" / "my app.py", "app = 1")))
    second = plan_for(str(put(tmp_path / "b" / "my app.py", "app = 1")))
    assert first.name == second.name == "my-app"
    assert first.key != second.key
    assert first.key.startswith("my-app-")


def test_the_conf_is_what_one_would_write(tmp_path: Path) -> None:
    assert plan_for(str(tmp_path)).conf("127.0.0.1", 5001) == (
        f"[server]\nip = 127.0.0.1\nport = 5001\n\n[routes:line]\n/ = {tmp_path}\n\n[/]\nlisting = yes\n"
    )


def test_a_wrong_path_names_the_nearest(tmp_path: Path) -> None:
    put(tmp_path / "app.py", "app = 1")
    with pytest.raises(UsageError, match=r"there is no such file or folder; did you mean app\.py\?"):
        plan_for(str(tmp_path / "ap.py"))


def test_a_file_without_a_callable_says_how_to_name_one(tmp_path: Path) -> None:
    path = put(tmp_path / "site.py", "server = 1")
    with pytest.raises(UsageError, match=r"no app or application is defined at its top level; .* run site\.py:NAME"):
        plan_for(str(path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a Python file"):
        plan_for(str(put(tmp_path / "notes.txt")))
