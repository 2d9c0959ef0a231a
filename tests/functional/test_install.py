"""make install and make uninstall into a DESTDIR, without the network: a wheel is built here, dependencies left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "skitaid",
    "skitaid.py",
    "skitaid-instance",
    "skitaid-instance.py",
    "skitaid-smtpda",
    "skitaid-smtpda.py",
    "skitaid-cron",
    "skitaid-cron.py",
)

pytestmark = pytest.mark.time_limit(240)


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "skitaid", source / "skitaid", ignore=shutil.ignore_patterns("__pycache__"))
    flags = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", target)
    done = run(sys.executable, "-m", "pip", "wheel", *flags, source)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(target.glob("skitaid-*.whl"))


class Machine:
    """A DESTDIR that stands for a machine."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self._wheel = wheel

    def path(self, name: str) -> Path:
        return self.folder / name

    def make(self, target: str, prefix: str = "/usr/local") -> subprocess.CompletedProcess[str]:
        variables = (f"DESTDIR={self.folder}", f"PREFIX={prefix}", f"PYTHON={sys.executable}", f"WHEEL={self._wheel}")
        return run("make", "--no-print-directory", target, *variables, "PIP_FLAGS=--no-deps --no-index")

    def done(self, target: str, prefix: str = "/usr/local") -> str:
        result = self.make(target, prefix)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def machine(tmp_path: Path, wheel: Path) -> Machine:
    return Machine(tmp_path / "machine", wheel)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Machine]:
    """Installed once for the tests that only look."""
    machine = Machine(tmp_path_factory.mktemp("fresh"), wheel)
    machine.done("install")
    yield machine


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    tracked = run("git", "ls-files", "skitaid").stdout.split()
    if not tracked:  # an exported tree: what lies there was copied by the fixture
        tracked = [str(path.relative_to(ROOT)) for path in (ROOT / "skitaid").rglob("*.py")]
    present = {name for name in tracked if (ROOT / name).exists()}
    assert present
    assert present - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_wheel_brings_the_import_names_of_the_ancestors(wheel: Path) -> None:
    assert "skitai.py" in zipfile.ZipFile(wheel).namelist()


def test_commands_are_linked_and_run(fresh: Machine) -> None:
    for name in COMMANDS:
        link = fresh.path(f"usr/local/bin/{name}")
        assert link.is_symlink()
        assert link.resolve().is_file()
        # the script names the place where it will live, not the DESTDIR
        assert link.read_bytes().splitlines()[0] == b"#!/usr/local/lib/skitaid/bin/python"
    answer = run(fresh.path("usr/local/lib/skitaid/bin/python"), "-Ic", "import skitaid; print(skitaid.__file__)")
    assert Path(answer.stdout.strip()).is_relative_to(fresh.path("usr/local/lib/skitaid"))


def test_nothing_installed_names_the_destdir(fresh: Machine) -> None:
    needle = os.fsencode(fresh.folder)
    contents = {name: fresh.path(name).read_bytes() for name in fresh.files()}
    naming = {name: text[max(text.find(needle) - 40, 0) :][:200] for name, text in contents.items() if needle in text}
    assert not naming, naming


def test_conf_names_the_user_and_secrets_are_closed(fresh: Machine) -> None:
    assert "\nuser = skitaid\n" in fresh.path("etc/skitaid/skitaid.conf").read_text(encoding="utf-8")
    assert (ROOT / "etc/skitaid/skitaid.conf").read_text(encoding="utf-8").count("\nuser = skitaid\n") == 0
    assert fresh.path("etc/skitaid/cert").stat().st_mode & 0o077 == 0
    for name in ("etc/skitaid/servers-enabled", "var/log/skitaid", "var/local/skitaid"):
        assert fresh.path(name).is_dir()


def test_the_manifest_is_one_that_sha256sum_reads(fresh: Machine) -> None:
    done = run("sha256sum", "--check", "--quiet", ".installed", cwd=fresh.path("etc/skitaid"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_name_the_prefix(machine: Machine) -> None:
    machine.done("install", prefix="/opt/skitaid")
    unit = machine.path("opt/skitaid/lib/systemd/system/skitaid.service").read_text(encoding="utf-8")
    script = machine.path("etc/init.d/skitaid")
    assert "ExecStart=/opt/skitaid/bin/skitaid -v start" in unit
    assert "ExecReload=/opt/skitaid/bin/skitaid reload" in unit
    assert "/usr/local" not in unit
    assert "/opt/skitaid/bin/skitaid" in script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111 == 0o111
    assert machine.path("opt/skitaid/share/doc/skitaid/docs/installing.md").exists()


def test_an_edited_conf_file_stays(machine: Machine) -> None:
    machine.done("install")
    sample = machine.path("etc/skitaid/servers-enabled/sample.conf")
    own = machine.path("etc/skitaid/servers-enabled/own.conf")
    shipped = sample.read_text(encoding="utf-8")
    sample.write_text(shipped + "\n; mine\n", encoding="utf-8")
    own.write_text("[server]\nport = 6000\n", encoding="utf-8")
    machine.path("etc/skitaid/cert/README.txt").unlink()

    said = machine.done("install")
    assert sample.read_text(encoding="utf-8") == shipped + "\n; mine\n"
    assert f"{sample}: kept: edited\n" in said
    assert not machine.path("etc/skitaid/cert/README.txt").exists(), "what the person deleted came back"

    said = machine.done("uninstall")
    assert f"{sample}: kept, as it was edited" in said
    assert machine.files() == {
        "etc/skitaid/.installed",
        "etc/skitaid/servers-enabled/own.conf",
        "etc/skitaid/servers-enabled/sample.conf",
    }


def test_uninstall_leaves_nothing_when_nothing_was_edited(machine: Machine) -> None:
    machine.done("install")
    machine.done("uninstall")
    assert machine.files() == set()
    machine.done("uninstall")


def test_an_install_that_fails_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.done("install")
    before = machine.files()
    (tmp_path / "skitaid-0.0-py3-none-any.whl").write_bytes(b"not a wheel")
    broken = Machine(machine.folder, tmp_path / "skitaid-0.0-py3-none-any.whl")
    result = broken.make("install")
    assert result.returncode != 0
    assert "Nothing of a former install was changed" in result.stderr
    assert machine.files() == before


def test_a_foreign_program_is_not_overwritten(machine: Machine) -> None:
    foreign = machine.path("usr/local/bin/skitaid")
    foreign.parent.mkdir(parents=True)
    foreign.write_text("#!/bin/sh\n", encoding="utf-8")
    result = machine.make("install")
    assert result.returncode != 0
    assert f"{foreign} is in the way and not ours" in result.stderr
    assert machine.files() == {"usr/local/bin/skitaid"}


def test_without_a_python_that_fits_it_says_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\n', encoding="utf-8")
    old.chmod(0o755)
    done = run("tools/pythons.sh", "--first", old)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, found: Python 3.9.2" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_version_by_name_is_found_behind_a_shim_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim, real = tmp_path / "shims" / "python3.13", tmp_path / ".pyenv" / "versions" / "3.13.9" / "bin" / "python"
    for path, line in ((shim, "exit 127"), (real, f'exec "{sys.executable}" "$@"')):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
    done = run("tools/pythons.sh", "--first", "python3.13")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, sys.executable, "")
    assert run("tools/pythons.sh", "--first", shim).returncode == 1
