from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.supervisor.journal import LOG_FILE, Journal


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_file_that_was_moved_or_removed_is_made_anew(tmp_path: Path, *, is_moved: bool) -> None:
    path = tmp_path / LOG_FILE
    journal = Journal(tmp_path)
    journal.info("before")
    if is_moved:
        path.rename(tmp_path / "aside")
    else:
        path.unlink()
    journal.tick()
    journal.info("after")
    assert path.read_text().endswith("[info] after\n")
    assert path.read_text().count("\n") == 1
