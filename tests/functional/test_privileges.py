"""Workers that give root up: what they may, what they leave behind. Needs root, and a Python that others may use."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.supervisor.report import Event
from tests.functional.running import ROOT, Master, Place, children, connect, get, session_members, text, wait_for

USER = "nobody"
APP = """
import os
import pwd
import sys
import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("begun", "a").close()
        time.sleep(2.5)
    environ["wsgi.errors"].write("told\\n")
    print("printed")
    with open("kept", "a") as file:
        file.write("x")
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = [pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), os.environ["HOME"], os.environ["USER"],
             sorted(os.getgroups()) == sorted({os.getgid(), *os.getgrouplist(os.environ["USER"], os.getgid())})]
    return [" ".join(map(str, words)).encode()]
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root up")


def as_nobody(*words: str) -> bool:
    """Whether `words` can be run by somebody without rights."""
    entry = pwd.getpwnam(USER)
    try:
        done = subprocess.run(
            words,
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
            cwd="/",
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that anybody may use: of root's own one, below /root, a worker could not import."""
    code = f"import sys; sys.exit(sys.version_info < (3, 11)); open({str(ROOT / 'skitaid' / '__init__.py')!r})"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if os.path.exists(candidate) and as_nobody(candidate, "-c", code):
            return candidate
    pytest.skip("no Python 3.11+ here that another user may run, or this checkout is closed to others")


@pytest.fixture
def place() -> Iterator[Place]:
    """Below a folder that others may enter, which pytest's own is not."""
    root = Path(tempfile.mkdtemp(prefix="skitaid-test-"))
    root.chmod(0o755)
    yield Place(root)
    shutil.rmtree(root)


@pytest.fixture
def master(place: Place, python: str) -> Iterator[Master]:
    place.app("app", APP)
    place.site(f"user = {USER}\nprocesses = 2")
    made = Master(place, python=python)
    yield made
    made.end()


def owner(path: Path) -> str:
    return path.owner()


def test_workers_are_nobody_and_the_master_stays_root(place: Place, master: Master) -> None:
    master.ready()
    home = place.root / "var" / "lib" / "instances" / "site"
    assert text(master.address) == f"{USER} {home} {pwd.getpwnam(USER).pw_dir} {USER} True"
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in children(master.pid)} == {pwd.getpwnam(USER).pw_uid}
    assert Path(f"/proc/{master.pid}").stat().st_uid == 0
    assert owner(home / "kept") == USER


def test_they_write_their_logs_also_after_a_rotation(place: Place, master: Master) -> None:
    master.ready()
    folder = place.root / "var" / "log" / "instances" / "site"
    sought = {"app": "told", "request": "GET / ", "stderr": "printed"}

    def are_written() -> bool:
        text(master.address)
        return all(word in place.log(kind) for kind, word in sought.items())

    wait_for(are_written, "lines in every log")
    assert owner(folder) == "root"
    master.signal(signal.SIGUSR1)
    wait_for(lambda: all(list(folder.glob(f"{kind}.log.*")) for kind in sought), "the rotation")
    wait_for(are_written, "lines in every new log")
    assert {owner(path) for path in folder.iterdir()} == {USER}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    for path in folder.glob("*.log"):
        path.rename(path.with_suffix(".moved"))
    wait_for(are_written, "lines in new files after somebody moved the old")


def test_a_reload_changes_the_user(place: Place, master: Master) -> None:
    master.ready()
    text(master.address)
    home = place.root / "var" / "lib" / "instances" / "site"
    place.site("user = daemon")
    assert master.reload().event is Event.RELOADED
    (home / "kept").unlink()
    assert text(master.address).startswith("daemon ")
    assert (owner(home), owner(home / "kept")) == ("daemon", "daemon")
    assert owner(place.root / "var" / "log" / "instances" / "site" / "app.log") == "daemon"


def test_a_master_on_its_way_out_leaves_the_logs_to_the_next_one(place: Place, master: Master) -> None:
    """Another, of another user, may have rotated them since."""
    master.ready()
    folder = place.root / "var" / "log" / "instances" / "site"
    with connect(master.address) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for((place.root / "var" / "lib" / "instances" / "site" / "begun").exists, "the app to begin")
        master.signal(signal.SIGQUIT)
        master.until(Event.STOPPING)
        for path in [*folder.glob("*.log")]:
            path.rename(path.with_suffix(".moved"))
            path.touch()
            shutil.chown(path, "daemon")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
    assert {owner(path) for path in folder.glob("*.log")} == {"daemon"}


def test_an_app_that_the_user_may_not_read_is_told(place: Place, master: Master) -> None:
    master.ready()
    (place.apps / "app.py").chmod(0o600)
    assert "Permission denied" in master.reload().reason
    assert get(master.address)[0] == 200


def test_a_folder_that_the_user_may_not_enter_is_told(place: Place, python: str) -> None:
    closed = place.root / "closed"
    closed.mkdir(mode=0o700)
    place.app("app", APP)
    place.site(f"user = {USER}\ndirectory = {closed}")
    master = Master(place, python=python)
    try:
        assert master.ended() == 1
        assert f"cannot use {closed} as the working folder: Permission denied" in place.log("server")
        assert session_members(master.pid) == {}
    finally:
        master.end()


def test_an_interpreter_that_the_user_may_not_read_is_told(place: Place) -> None:
    if as_nobody(sys.executable, "-c", "import json"):
        pytest.skip("everybody may use this interpreter")
    place.app("app", APP)
    place.site(f"user = {USER}")
    master = Master(place)
    try:
        assert master.ended() == 1
        assert f"user {USER} can't read the interpreter's library {os.path.dirname(os.__file__)}" in place.log("server")
    finally:
        master.end()


def test_a_port_below_1024(place: Place, python: str) -> None:
    place.app("app", APP)
    for port in range(1023, 1000, -1):
        place.site(f"user = {USER}\nlisten = 127.0.0.1:{port}")
        master = Master(place, python=python)
        try:
            wait_for(lambda master=master: master.process.poll() is not None or master.listen(), "its start")
            if master.process.poll() is None:
                assert text(f"127.0.0.1:{port}").startswith(USER)
                return
        finally:
            master.end()
    pytest.skip("every port from 1001 to 1023 is taken here")
