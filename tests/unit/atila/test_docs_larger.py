"""docs/atila-larger.md: its examples do what the page says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.atila.wac import REGISTERED
from tests.unit.atila.caller import Caller

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "atila-larger.md").read_text()
PETS, KEEPERS, APP, MOUNT, BOOTSTRAP, *MORE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    (tmp_path / "zoo" / "services").mkdir(parents=True)
    for name, text in (("__init__", ""), ("pets", PETS), ("keepers", KEEPERS)):
        (tmp_path / "zoo" / "services" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "zoo")
    monkeypatch.syspath_prepend(ROOT / "skitaid" / "compat")
    yield tmp_path / "zoo"
    REGISTERED.clear()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("services", "zooapp"):
            del sys.modules[name]


def load(site: Path, *texts: str) -> Any:
    (site / "zooapp.py").write_text("\n".join(texts))
    return __import__("zooapp")


def test_modules_are_mounted_by_themselves(site: Path) -> None:
    call = Caller(load(site, APP).app)
    assert call.get("/pets").data == {"pets": ["Rex"], "keepers": "/keepers"}
    assert call.get("/keepers").data == {"keepers": ["Ada"], "home": "/"}


def test_modules_that_one_mounts(site: Path) -> None:
    call = Caller(load(site, APP, MOUNT).app)
    assert call.get("/v2/pets").data["keepers"] == "/v2/keepers"
    assert call.get("/v2/keepers").data["home"] == "/v2/pets"
    assert call.get("/pets").code == 404


def test_bootstrap(site: Path) -> None:
    from skitaid.atila import Preferences

    (site / "urls").write_text("one two")
    namespace: dict[str, Any] = {}
    exec(BOOTSTRAP, namespace)
    preferences = Preferences({"config": {"urlfile": site / "urls"}})
    namespace["bootstrap"](preferences)
    assert preferences.config.urllist == ["one", "two"]


def test_the_rest(site: Path) -> None:
    app = load(site, APP, *MORE).app
    call = Caller(app)
    assert call.get("/search?q=rex").data == {"found": "a dog", "searches": 1}
    assert call.get("/search?q=tom").data == {"found": None, "searches": 2}
    assert (app.store["last"], app.config.maintain_interval) == ("tom", 10)
    app._life.end()
    assert "searcher" not in REGISTERED
