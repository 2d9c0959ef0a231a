from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skitaid.agents.smtpda.ledger import SLOT_BYTES, SLOTS, Ledger, Slip


def ledger_of(spool: Path, folder: Path) -> Ledger:
    ledger = Ledger(folder)
    ledger.open(spool)
    return ledger


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    return folder


ALL = ("x@x.org", "y@x.org", "ü@x.org")


def test_what_was_marked_is_known_to_the_next_agent_and_nothing_else(tmp_path: Path, shared: Path) -> None:
    killed = ledger_of(tmp_path, shared)
    with killed.slip("a", ALL) as first, killed.slip("b", ALL) as second, killed.slip("c", ALL) as third:
        first.arm(["x@x.org", "ü@x.org"])
        first.mark()
        second.arm(["y@x.org"])
        third.mark()
        assert ledger_of(tmp_path, shared).taken() == [("a", (0, 2))]
        first.clear()
        assert ledger_of(tmp_path, shared).taken() == []


def test_what_is_over_leaves_no_mark(tmp_path: Path, shared: Path) -> None:
    ledger = ledger_of(tmp_path, shared)
    for _ in range(SLOTS + 1):
        with ledger.slip("a", ALL) as slip:
            for each in ALL:
                slip.arm([each])
                slip.mark()
    assert ledger.taken() == []
    ledger.close()
    assert list(shared.iterdir()) == []


def test_a_mail_in_several_goes_has_the_marks_of_all_that_the_server_took(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@a-domain-with-a-long-name.example.org" for number in range(1000))
    ledger = ledger_of(tmp_path, shared)
    with ledger.slip("1" * 100, everybody) as slip:
        for start in range(0, 1000, 100):
            slip.arm(everybody[start:start + 100])
            if start != 300:  # those it refused
                slip.mark()
            (_, found), = ledger.taken()
            assert len(found) == start + (100 if start < 300 else 0)
        assert found == (*range(300), *range(400, 1000))


def test_more_recipients_than_there_is_room_for(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@x.org" for number in range(SLOT_BYTES * 8))
    ledger = ledger_of(tmp_path, shared)
    with ledger.slip("a", everybody) as slip:
        slip.arm(everybody[:100])
        slip.mark()
        slip.arm(everybody[-100:])
        slip.mark()
        assert ledger.taken() == [("a", tuple(range(100)))]


def test_what_was_torn_is_nothing(tmp_path: Path, shared: Path) -> None:
    ledger = ledger_of(tmp_path, shared)
    with ledger.slip("a", ALL) as slip:
        slip.arm(["x@x.org"])
        slip.mark()
        (path,) = shared.iterdir()
        path.write_bytes(path.read_bytes().replace(b"a", b"b"))
        assert ledger_of(tmp_path, shared).taken() == []


@pytest.mark.parametrize("squatter", ["link", "folder", "second name", "none"])
def test_a_name_that_is_somebody_else_s(tmp_path: Path, shared: Path, squatter: str) -> None:
    before = ledger_of(tmp_path, shared)
    (path,) = shared.iterdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    path.unlink()
    if squatter == "link":
        path.symlink_to(victim)
    elif squatter == "folder":
        path.mkdir()
    elif squatter == "second name":
        path.hardlink_to(victim)
    ledger = ledger_of(tmp_path, shared)
    assert ledger.is_kept == (squatter == "none") and before.is_kept
    with ledger.slip("a", ALL) as slip:
        slip.arm(["x@x.org"])
        slip.mark()
    assert ledger.taken() == [] and victim.read_bytes() == b"mine"
    ledger.close()


def test_no_shared_memory(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, tmp_path / "nowhere")
    with ledger.slip("a", ALL) as slip:
        slip.arm(["x@x.org"])
        slip.mark()
        assert ledger.taken() == []
    ledger.clear()
    ledger.close()


def test_without_a_ledger() -> None:
    slip = Slip()
    slip.arm(["x@x.org"])
    slip.mark()
    slip.clear()
    assert Ledger().taken() == []


def test_a_mail_to_more_than_there_is_room_for_takes_no_memory(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@x" for number in range(100_000))
    with ledger_of(tmp_path, shared).slip("a", everybody) as slip:
        assert sum(map(sys.getsizeof, slip._bits.values())) < 2_000_000
        slip.arm(everybody[:100])
        slip.mark()
        assert ledger_of(tmp_path, shared).taken() == [("a", tuple(range(100)))]
        slip.arm(everybody[-100:])
        slip.mark()
