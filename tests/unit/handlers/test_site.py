from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.handlers.unlogged import Unlogged
from tests.unit.engine.rig import Rig, hello


def test_routes_are_tried_in_order_until_one_answers(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("a file")
    rig.folder(str(tmp_path))
    rig.app(hello)
    client = rig.client()
    assert client.get("/there.txt").body == b"a file"
    assert client.get("/not-there.txt").body == b"hello"
    # A folder of files is for reading; the app takes the rest.
    assert client.get("/there.txt", method="POST").body == b"hello"


def test_nobody_there(rig: Rig) -> None:
    rig.app(hello, "/app")
    client = rig.client()
    assert client.get("/elsewhere").code == 404
    assert client.get("/application").code == 404
    assert client.get("/app").code == 200


def test_a_mount_stays_out_of_the_log_but_not_what_another_answers_for_it(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("a file")
    rig.folder(str(tmp_path))
    quiet = rig.routes.pop()
    rig.mount(replace(quiet, handler=Unlogged(quiet)))
    rig.app(hello)
    client = rig.client()
    for target in ("/there.txt", "/elsewhere", "/there.txt"):
        assert client.get(target).code == 200
    assert [record[4] for record in rig.records] == ["/elsewhere"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_are_not_written(rig: Rig, tmp_path: Path, method: str) -> None:
    rig.folder(str(tmp_path))
    reply = rig.client().get("/x", method=method)
    assert reply.code == 405
    assert {"GET", "HEAD"} <= set((reply.get("allow") or "").split(", "))


def test_options_of_the_server_are_not_an_apps_business(rig: Rig) -> None:
    rig.app(hello)
    reply = rig.client().ask(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (reply.code, reply.body) == (204, b"")
    assert {"OPTIONS", "PATCH"} <= set((reply.get("allow") or "").split(", "))


def test_connect_is_not_an_apps_business(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    assert client.ask(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n").code == 405


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "text/plain; charset=utf-8"),
    ],
)
def test_errors_come_as_the_client_likes_them(rig: Rig, accept: str, kind: str) -> None:
    assert rig.client().get("/", f"Accept: {accept}").get("content-type") == kind
