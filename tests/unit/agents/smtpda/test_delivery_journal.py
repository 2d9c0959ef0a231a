from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skitaid.agents.smtpda.delivery_journal import SLOT_BYTES, SLOTS, DeliveryJournal, JournalEntry


def journal_of(spool: Path, folder: Path) -> DeliveryJournal:
    journal = DeliveryJournal(folder)
    journal.open(spool)
    return journal


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    return folder


ALL = ("x@x.org", "y@x.org", "ü@x.org")


def test_what_was_marked_is_known_to_the_next_agent_and_nothing_else(tmp_path: Path, shared: Path) -> None:
    killed = journal_of(tmp_path, shared)
    with killed.entry("a", ALL) as first, killed.entry("b", ALL) as second, killed.entry("c", ALL) as third:
        first.arm(["x@x.org", "ü@x.org"])
        first.mark()
        second.arm(["y@x.org"])
        third.mark()
        assert journal_of(tmp_path, shared).taken() == [("a", (0, 2))]
        first.clear()
        assert journal_of(tmp_path, shared).taken() == []


def test_what_is_over_leaves_no_mark(tmp_path: Path, shared: Path) -> None:
    journal = journal_of(tmp_path, shared)
    for _ in range(SLOTS + 1):
        with journal.entry("a", ALL) as entry:
            for each in ALL:
                entry.arm([each])
                entry.mark()
    assert journal.taken() == []
    journal.close()
    assert list(shared.iterdir()) == []


def test_a_mail_in_several_goes_has_the_marks_of_all_that_the_server_took(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@a-domain-with-a-long-name.example.org" for number in range(1000))
    journal = journal_of(tmp_path, shared)
    with journal.entry("1" * 100, everybody) as entry:
        for start in range(0, 1000, 100):
            entry.arm(everybody[start : start + 100])
            if start != 300:  # those it refused
                entry.mark()
            ((_, found),) = journal.taken()
            assert len(found) == start + (100 if start < 300 else 0)
        assert found == (*range(300), *range(400, 1000))


def test_more_recipients_than_there_is_room_for(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@x.org" for number in range(SLOT_BYTES * 8))
    journal = journal_of(tmp_path, shared)
    with journal.entry("a", everybody) as entry:
        entry.arm(everybody[:100])
        entry.mark()
        entry.arm(everybody[-100:])
        entry.mark()
        assert journal.taken() == [("a", tuple(range(100)))]


def test_what_was_torn_is_nothing(tmp_path: Path, shared: Path) -> None:
    journal = journal_of(tmp_path, shared)
    with journal.entry("a", ALL) as entry:
        entry.arm(["x@x.org"])
        entry.mark()
        (path,) = shared.iterdir()
        path.write_bytes(path.read_bytes().replace(b"a", b"b"))
        assert journal_of(tmp_path, shared).taken() == []


@pytest.mark.parametrize("squatter", ["link", "folder", "second name", "none"])
def test_a_name_that_is_somebody_else_s(tmp_path: Path, shared: Path, squatter: str) -> None:
    before = journal_of(tmp_path, shared)
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
    journal = journal_of(tmp_path, shared)
    assert journal.is_kept == (squatter == "none") and before.is_kept
    with journal.entry("a", ALL) as entry:
        entry.arm(["x@x.org"])
        entry.mark()
    assert journal.taken() == [] and victim.read_bytes() == b"mine"
    journal.close()


def test_no_shared_memory(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, tmp_path / "nowhere")
    with journal.entry("a", ALL) as entry:
        entry.arm(["x@x.org"])
        entry.mark()
        assert journal.taken() == []
    journal.clear()
    journal.close()


def test_without_a_journal() -> None:
    entry = JournalEntry()
    entry.arm(["x@x.org"])
    entry.mark()
    entry.clear()
    assert DeliveryJournal().taken() == []


def test_a_mail_to_more_than_there_is_room_for_takes_no_memory(tmp_path: Path, shared: Path) -> None:
    everybody = tuple(f"{number}@x" for number in range(100_000))
    with journal_of(tmp_path, shared).entry("a", everybody) as entry:
        assert sum(map(sys.getsizeof, entry._bits.values())) < 2_000_000
        entry.arm(everybody[:100])
        entry.mark()
        assert journal_of(tmp_path, shared).taken() == [("a", tuple(range(100)))]
        entry.arm(everybody[-100:])
        entry.mark()
