from __future__ import annotations

import pytest

from skitaid.agents.cron import output
from skitaid.agents.cron.output import Output


def test_lines_come_whole() -> None:
    found = Output()
    assert found.feed(b"one\ntw") == ["one"]
    assert found.feed(b"o\r\n\nthr") == ["two", ""]
    assert found.finish() == ["thr"]
    assert found.finish() == []


def test_what_is_no_text_is_shown() -> None:
    assert Output().feed(b"\xff\xfe\n") == ["��"]


def test_a_line_has_a_longest_length() -> None:
    found = Output()
    lines = [*found.feed(b"x" * 20_000), *found.feed(b"y\nz\n")]
    assert [len(line) for line in lines] == [8192, 8192, 20_001 - 2 * 8192, 1]
    assert [len(line) for line in Output().feed(b"x" * 9000 + b"\n")] == [8192, 808]


def test_empty_lines_have_an_end_too() -> None:
    found = Output()
    lines = sum(len(found.feed(b"\n" * 65536)) for _ in range(100))
    assert lines * output.STAMP_BYTES < 1.5 * output.TOTAL_MAX_BYTES
    assert found.dropped_bytes == 100 * 65536 - lines


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("character", ["é", "€", "🙂"])
def test_a_long_line_is_not_broken_within_a_character(character: str, end: bytes) -> None:
    found = Output()
    text = "x" + character * 10_000
    lines = [*found.feed(text.encode() + end), *found.finish()]
    assert "".join(lines) == text
    assert len(lines) > 1


def test_what_is_no_text_is_broken_all_the_same() -> None:
    assert [len(line) for line in Output().feed(b"\x80" * 9000 + b"\n")] == [8192, 808]


def test_output_has_an_end() -> None:
    found = Output(keep=True)
    chunk = b"0123456789abcde\n" * 1024
    lines = sum(len(found.feed(chunk)) for _ in range(400))
    in_log = lines * (16 + output.STAMP_BYTES)
    assert output.TOTAL_MAX_BYTES <= in_log < output.TOTAL_MAX_BYTES + 1024 * (16 + output.STAMP_BYTES)
    assert found.dropped_bytes == 400 * len(chunk) - lines * 16
    assert found.kept.endswith("... and more: see cron.log\n")
    assert len(found.kept) < output.KEPT_MAX_BYTES + 100


def test_only_what_is_wanted_is_kept() -> None:
    without, with_it = Output(), Output(keep=True)
    assert without.is_empty
    for found in (without, with_it):
        found.feed(b"some\n")
    assert (without.is_empty, without.kept, with_it.kept) == (False, "\n... and more: see cron.log\n", "some\n")
