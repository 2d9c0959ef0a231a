"""Instances in interpreters of their own, where nobody installed skitaid."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.running import Daemon, Place, get, text

APP = """
import sys
import only_in_this_environment
import yaml

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = ["%d.%d" % sys.version_info[:2], only_in_this_environment.TEXT, yaml.__name__, hasattr(yaml, "OURS"),
             sys.prefix]
    return [" ".join(map(str, words)).encode()]
"""

ATILA_APP = """
import sys
from atila import Atila

app = Atila(__name__)
app.securekey = "of the test"

@app.route("/")
def index(was, name):
    was.session["name"] = name
    return was.render("hello.html", version="%d.%d" % sys.version_info[:2], name=was.session["name"])

@app.route("/asked")
async def asked(was, port):
    return (await was.get(f"http://127.0.0.1:{port}/?name=asked")).text
"""


def version_of(python: str) -> tuple[int, int]:
    """(0, 0) for what does not run."""
    try:
        done = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"],
            text=True,
            check=False,
            capture_output=True,
            timeout=30,
        )
        major, minor = done.stdout.split()
    except (OSError, ValueError):
        return 0, 0
    return int(major), int(minor)


def pythons() -> dict[str, str]:
    """A CPython 3 of each version that this machine has: version to path, our own first."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for path in sorted(
        glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python"))
        + glob.glob("/usr/bin/python3.[0-9]*")
        + glob.glob("/usr/local/bin/python3.[0-9]*")
    ):
        if not path.endswith("-config") and (version := version_of(path)) > (3, 6):
            found.setdefault(f"{version[0]}.{version[1]}", path)
    return found


PYTHONS = pythons()
MODERN = [version for version in PYTHONS if int(version.partition(".")[2]) >= 11]
OLD = [version for version in PYTHONS if version not in MODERN]


def environment(folder: Path, python: str) -> Path:
    """A virtual environment with one module, and one that is called as a dependency of ours."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    [packages] = folder.glob("lib/python3*/site-packages")
    (packages / "only_in_this_environment.py").write_text(f"TEXT = 'environment {folder.name}'\n")
    (packages / "yaml.py").write_text("OURS = True\n")
    return folder


@pytest.mark.parametrize("version", MODERN)
def test_an_environment_without_skitaid(daemon: Daemon, place: Place, tmp_path: Path, version: str) -> None:
    folder = environment(tmp_path / "site-env", PYTHONS[version])
    place.app("app", APP)
    place.site(f"python = {folder}")
    daemon.start()
    address = daemon.see()["address"]
    assert text(address) == f"{version} environment site-env yaml True {folder}"


@pytest.mark.parametrize("version", MODERN[1:])
def test_packages_of_ours_that_are_made_for_another_version(
    daemon: Daemon, place: Place, tmp_path: Path, version: str
) -> None:
    """The parts of them that are compiled can't be loaded there: what they need runs without."""
    place.app("app", ATILA_APP)
    (place.apps / "templates").mkdir()
    (place.apps / "templates" / "hello.html").write_text("{{ version }} {{ name }}")
    place.site(f"python = {environment(tmp_path / 'site-env', PYTHONS[version])}")
    daemon.start()
    address = daemon.see()["address"]
    assert text(address, "/?name=%3Cb%3E") == f"{version} &lt;b&gt;"
    assert text(address, f"/asked?port={address.rpartition(':')[2]}") == f"{version} asked"


def test_an_environment_s_python_may_be_named_itself(daemon: Daemon, place: Place, tmp_path: Path) -> None:
    folder = environment(tmp_path / "site-env", sys.executable)
    place.app("app", APP)
    place.site(f"python = {folder}/bin/python")
    daemon.start()
    assert text(daemon.see()["address"]).endswith(f"environment site-env yaml True {folder}")


def test_every_site_has_its_own(daemon: Daemon, place: Place, tmp_path: Path) -> None:
    place.app("app", APP)
    for name, version in zip(("one", "two", "three"), MODERN * 3, strict=False):
        place.site(f"python = {environment(tmp_path / name, PYTHONS[version])}", name=name)
    place.site(name="none")
    daemon.start()
    answers = {name: get(item["address"]) for name, item in daemon.status().items()}
    for name in ("one", "two", "three"):
        assert f"environment {name} " in answers[name][1]
    assert answers["none"][0] == 500
    assert "No module named 'only_in_this_environment'" in place.log("app", "none")


def test_a_conf_in_yaml_where_yaml_is_not_installed(daemon: Daemon, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "site-env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    place.answer("from yaml")
    (place.etc / "servers-enabled" / "site.yaml").write_text(
        f"server: {{listen: '127.0.0.1:0', python: '{folder}'}}\nroutes: [{{/: ../../apps/app}}]\n"
    )
    daemon.start()
    assert text(daemon.see()["address"]) == "from yaml"


@pytest.mark.skipif(not OLD, reason="this machine has no Python 3 older than 3.11")
def test_a_python_that_is_too_old_is_told(daemon: Daemon, place: Place) -> None:
    place.answer("hello")
    place.site(name="good")
    place.site(f"python = {PYTHONS[OLD[0]]}")
    done = daemon("start")
    assert daemon.see()["state"] == "fatal"
    assert f"is Python {OLD[0]}." in place.log("stderr")
    assert "skitaid needs 3.11 or later" in place.log("stderr")
    assert "site" in done.stderr
    assert text(daemon.status()["good"]["address"]) == "hello"
