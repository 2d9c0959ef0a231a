"""What apps are told where they are mounted."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from skitaid.atila import Atila
from skitaid.config.model import AppTarget, Mount, MountOptions
from skitaid.handlers.loading.loader import AppKind, AppLoadError, LoadedApp
from skitaid.instance.mounting import tell_mounted, wants_reloader


def mounted(options: MountOptions, path: str = "/sub") -> Mount:
    return Mount(path, AppTarget(Path("/app.py"), "app"), options)


def loaded(app: object) -> LoadedApp:
    module = types.ModuleType("app")
    module.__file__ = "/app.py"
    return LoadedApp(app, AppKind.WSGI, module, "/")  # type: ignore[arg-type]


def test_the_conf_goes_before_the_app() -> None:
    app = Atila("nothing")
    app.config.own = "mine"
    options = MountOptions(debug=True, config={"urlfile": "urls.txt", "max_post_body_size": "1000", "own": "theirs"})
    tell_mounted(loaded(app), mounted(options))
    assert (app.mount_path, app.debug, app.use_reloader) == ("/sub", True, False)
    assert (app.config.urlfile, app.config.max_post_body_size, app.config.own) == ("urls.txt", 1000, "theirs")


def test_one_limit_for_all_bodies() -> None:
    app = Atila("nothing")
    app.set_preferences({"max_client_body_size": 1000})
    assert app.max_client_body_size == app.config.max_post_body_size == app.config.max_upload_file_size == 1000
    assert app.packagename == "nothing"


def test_what_the_conf_leaves_open_is_the_apps_to_say() -> None:
    app = Atila("nothing")
    app.debug = app.use_reloader = True
    mount = mounted(MountOptions(), "/")
    tell_mounted(loaded(app), mount)
    assert (app.mount_path, app.debug, app.use_reloader) == ("", True, True)
    assert wants_reloader(loaded(app), mount)


def test_an_app_of_another_kind_is_told_nothing() -> None:
    def app(environ: object, start_response: object) -> list[bytes]:
        return []

    tell_mounted(loaded(app), mounted(MountOptions()))
    assert not wants_reloader(loaded(app), mounted(MountOptions()))
    assert wants_reloader(loaded(app), mounted(MountOptions(use_reloader=True)))


def test_an_app_that_refuses_is_not_served() -> None:
    with pytest.raises(AppLoadError, match="cannot be mounted: ValueError"):
        tell_mounted(loaded(Atila("nothing")), mounted(MountOptions(config={"max_post_body_size": "big"})))
