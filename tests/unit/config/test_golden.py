"""Conf files, good and bad, and what is said about them.

`golden/bad/NAME.conf` (or `.yaml`, or a folder that is a whole etc) is told exactly as `NAME.txt` says.
`golden/good/NAME.conf` is loaded and dumped exactly as `NAME.dump` says. `UPDATE_GOLDEN=1` writes what is expected
anew: read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.config.dump import dump_conf
from skitaid.config.load import default_main, load_all, load_instance
from skitaid.exceptions import ConfError

GOLDEN = Path(__file__).parent / "golden"
BAD = sorted(path for path in (GOLDEN / "bad").iterdir() if path.suffix != ".txt")
GOOD = sorted(path for path in (GOLDEN / "good").iterdir() if path.suffix != ".dump")


def compare(found: str, expected_path: Path) -> None:
    found = found.replace(str(GOLDEN), "GOLDEN")
    if os.environ.get("UPDATE_GOLDEN"):
        expected_path.write_text(found, encoding="utf-8")
    assert found == expected_path.read_text(encoding="utf-8")


def problems_of(path: Path) -> str:
    if path.is_dir():
        try:
            loaded = load_all(path, is_root=False)
        except ConfError as error:
            return "".join(f"{problem}\n" for problem in error.problems)
        assert loaded.failures, "every problem of this tree is a warning"
        served = ", ".join(loaded.instances) or "nothing"
        return "".join(f"{problem}\n" for problem in loaded.problems) + f"-- served: {served}\n"
    with pytest.raises(ConfError) as caught:
        load_instance(path, default_main(GOLDEN), is_root=False)
    return "".join(f"{problem}\n" for problem in caught.value.problems)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_bad_file_is_explained(path: Path) -> None:
    compare(problems_of(path), path.parent / f"{path.stem}.txt")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_good_file_is_understood(path: Path) -> None:
    instance = load_instance(path, default_main(GOLDEN), is_root=False)
    warnings = "".join(f"; {problem}\n" for problem in instance.warnings)
    compare(warnings + dump_conf(instance), path.parent / f"{path.stem}.dump")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_every_error_has_a_place_and_an_expectation(path: Path) -> None:
    for line in problems_of(path).splitlines():
        if not line.startswith("-- "):
            where, _, text = line.partition(": ")
            assert where.startswith(str(GOLDEN))
            assert "hush" not in text
            assert len(text) > len("unknown key")


def test_there_are_enough_bad_cases() -> None:
    assert len(BAD) >= 60
