"""The import name `skitai`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import skitaid.compat
from skitaid import was
from skitaid.compat import skitai
from skitaid.was import states

FOLDER = Path(skitaid.compat.__file__).parent


def test_was_is_was() -> None:
    assert skitai.was is was


def test_the_status_of_results() -> None:
    names = ("STA_UNSENT", "STA_TIMEOUT", "STA_REQFAIL", "STA_NORMAL", "STA_NETERR")
    assert [getattr(skitai, name) for name in names] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["register_states", "states", "defgs", "deflu", "addlu", "trackers"])
def test_the_names_of_register_states(name: str) -> None:
    @getattr(skitai, name)(f"by.{name}")
    class Decorated:
        """Of the app's."""

    assert Decorated.__name__ == "Decorated"
    assert states.getgs(f"by.{name}") == 0


def test_the_oldest_form_takes_a_list() -> None:
    skitai.lukeys(["by.lukeys"])
    assert states.getlu("by.lukeys") == 0.0


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="skitai has no 'nothing'"):
        skitai.nothing  # noqa: B018
    assert {"was", "STA_NORMAL", "register_states"} <= set(dir(skitai))


def test_it_is_a_top_level_module_that_imports_little() -> None:
    code = (
        "import sys; import skitai; assert skitai.__file__.startswith(sys.argv[1]);"
        "from skitai import was; print([n for n in ('asyncio', 'ssl', 'http.client') if n in sys.modules])"
    )
    root = FOLDER.parents[1]
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {[str(FOLDER), str(root)]!r}; {code}", FOLDER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_the_framework_under_its_older_names() -> None:
    text = "import atila, skitai.saddle as s\nassert atila.Atila is s.Saddle is s.Atila\nassert s.EVOK == atila.EVOK\n"
    environment = {"PYTHONPATH": f"{FOLDER}:{FOLDER.parent.parent}"}
    subprocess.run([sys.executable, "-c", text], check=True, env=environment, timeout=60)
