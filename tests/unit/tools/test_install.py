"""tools/install.py: what of a checkout's conf folder is installed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("skitaid_tools_install", ROOT / "tools" / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_all_of_the_release_and_nothing_of_who_tried_it_out(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "etc" / "skitaid", tmp_path / "etc" / "skitaid")
    for own in ("servers-enabled/mysite.conf", "servers-available/mysite.conf", "cert/mysite.key", "mysite.py"):
        (tmp_path / "etc" / "skitaid" / own).write_text("", encoding="utf-8")
    monkeypatch.setattr(install, "CHECKOUT", tmp_path)
    shipped = install.shipped_conf()
    assert not [name for name in shipped if "mysite" in name]
    assert {"skitaid.conf", "servers-enabled/sample.conf", "cert/README.txt", "sample/hello.py"} <= shipped.keys()
    assert b"\nuser = skitaid\n" in shipped["skitaid.conf"]


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="no checkout of git")
def test_what_git_has_is_shipped(install: ModuleType) -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "etc/skitaid"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    names = [name.removeprefix("etc/skitaid/") for name in listed]
    assert len(names) > 20
    left_out = [name for name in names if not install.is_shipped(name) and not Path(name).name.startswith(".")]
    assert left_out == []


def test_what_to_type_next(install: ModuleType, tmp_path: Path) -> None:
    usual, own = (install.Places(Path(prefix), str(tmp_path)) for prefix in ("/usr/local", "/opt/skitaid"))
    assert install.next_step(usual, is_running=False) == "Start it: systemctl enable --now skitaid (or: skitaid start)"
    sample = tmp_path / "etc" / "skitaid" / "servers-enabled" / "sample.conf"
    sample.parent.mkdir(parents=True)
    sample.touch()
    told = install.next_step(own, is_running=False)
    assert "enable --now /opt/skitaid/lib/systemd/system/skitaid.service (or: /opt/skitaid/bin/skitaid start)" in told
    assert told.endswith("; the sample is on http://127.0.0.1:5000/")
    assert install.next_step(usual, is_running=True).endswith("skitaid check, then skitaid restart")
