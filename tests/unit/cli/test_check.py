"""check: its last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli import check
from skitaid.cli.options import parse
from skitaid.cli.session import Session


def test_a_folder_without_instances_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As when --etc leads to another folder than was meant."""
    session = Session(parse(["check"]), tmp_path)
    assert check.run(session) == 0
    assert capsys.readouterr().out == f"{tmp_path}: in order, but servers-enabled holds no conf file\n"
    (tmp_path / "www").mkdir()
    (tmp_path / "servers-enabled").mkdir()
    (tmp_path / "servers-enabled" / "a.conf").write_text("[routes:line]\n/ = ../www\n")
    assert check.run(session) == 0
    assert "no conf file" not in capsys.readouterr().out
