from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skitaid.logs.lines import LogFile, escape, format_block, format_line

STAMP = r"\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d"
is_root = os.geteuid() == 0


def last_line(path: Path) -> str:
    return path.read_text().splitlines()[-1]


# ---------------------------------------------------------------- the format


def test_line_has_stamp_mark_and_text() -> None:
    line = format_line(0.0, "info", "called index").decode()
    assert re.fullmatch(STAMP + r" \[info\] called index\n", line)


def test_identifier_follows_the_type() -> None:
    assert b" [expt:bp1] boom\n" in format_line(0.0, "expt", "boom", "bp1")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain, with Umläut and 한글", "plain, with Umläut and 한글"),
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("nul\x00", r"nul\x00"),
        ("c1\x85", r"c1\x85"),
        ("separator\u2028", r"separator\u2028"),
        ("override\u202e", r"override\u202e"),
        ("half\udc80", r"half\udc80"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_no_text_makes_a_second_record() -> None:
    nasty = "".join(map(chr, range(0x2100))) + "\ud800"
    assert len(format_line(0.0, nasty, nasty, nasty).decode().splitlines()) == 1


def test_block_continues_on_indented_lines() -> None:
    lines = format_block(0.0, "expt", ["TypeError: t", "at\x1b x", "in y"], "bp1").decode().splitlines()
    assert lines[0].endswith("[expt:bp1] TypeError: t \\")
    assert lines[1:] == ["    at\\x1b x \\", "    in y"]


# ---------------------------------------------------------------- the file


def test_write_appends_and_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "instances" / "sample" / "app.log"
    log = LogFile(path)
    log.write("info", "one")
    log.write("error", "two", "x")
    assert re.fullmatch(rf"{STAMP} \[info\] one\n{STAMP} \[error:x\] two\n", path.read_text())


def test_mode_is_given_to_a_new_file(tmp_path: Path) -> None:
    LogFile(tmp_path / "a.log", mode=0o600)
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


def test_descriptor_is_not_inherited(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    log.reopen()
    assert os.get_inheritable(log.fileno()) is False


def test_traceback_begins_with_the_error(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.write_traceback("bp1")
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert lines[0].endswith("[expt:bp1] ValueError: first second \\")
    assert lines[1] == "    Traceback (most recent call last): \\"
    assert all(line.startswith("    ") for line in lines[1:])


def test_traceback_of_nothing_is_said(tmp_path: Path) -> None:
    LogFile(tmp_path / "a.log").write_traceback()
    assert "no exception is being handled" in (tmp_path / "a.log").read_text()


def test_echo_goes_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    LogFile(tmp_path / "a.log", echo=True).write("info", "hello")
    assert capfd.readouterr().err == (tmp_path / "a.log").read_text() != ""


def test_what_is_shown_says_whose_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = LogFile(tmp_path / "a.log", echo=True)
    log.label = b"shop: "
    log.write_block("info", ["one", "and more"])
    log.write_raw(b"two\nthree\n")
    begun, more, *rest = capfd.readouterr().err.splitlines()
    assert begun.startswith("shop: ") and begun.endswith(" [info] one \\")
    assert [more, *rest] == ["    and more", "shop: two", "shop: three"]
    assert "shop" not in (tmp_path / "a.log").read_text()


def test_reopen_follows_a_rename_and_keeps_the_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = LogFile(path)
    number = log.fileno()
    log.write("info", "old")
    path.rename(tmp_path / "a.log.1")
    log.write("info", "still old")
    assert log.reopen_if_moved() is True
    log.write("info", "new")
    assert log.fileno() == number
    assert "still old" in last_line(tmp_path / "a.log.1")
    assert path.read_text().count("\n") == 1
    assert log.reopen_if_moved() is False


def test_reopen_if_moved_finds_another_file_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = LogFile(path)
    path.rename(tmp_path / "a.log.1")
    path.write_text("")
    assert log.reopen_if_moved() is True
    log.write("info", "new")
    assert "new" in path.read_text()


def test_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = LogFile(path)
    path.rename(tmp_path / "moved")
    path.mkdir()
    assert log.reopen() is False
    assert str(path) in log.reason
    log.write("info", "kept")
    assert "kept" in (tmp_path / "moved").read_text()


@pytest.mark.skipif(not is_root, reason="only root may give files away")
def test_new_file_belongs_to_the_owner(tmp_path: Path) -> None:
    LogFile(tmp_path / "a.log", owner=(65534, 65534))
    assert (tmp_path / "a.log").stat().st_uid == 65534


@pytest.mark.skipif(not is_root, reason="only root may give files away")
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_is_never_given_away(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    target = tmp_path / "shadow"
    target.write_text("secret")
    link(tmp_path / "a.log", target)
    LogFile(tmp_path / "a.log", owner=(65534, 65534))
    assert target.stat().st_uid == 0


# ---------------------------------------------------------------- when it can't be written


def test_full_disk_loses_lines_silently_and_says_so_later(tmp_path: Path) -> None:
    full = tmp_path / "a.log"
    full.symlink_to("/dev/full")
    log = LogFile(full)
    for _ in range(3):
        log.write("info", "lost")
    assert log.lost_lines == 3
    assert log.reason == os.strerror(errno.ENOSPC)
    full.unlink()
    log.reopen_if_moved()
    log.write("info", "there is room")
    log.write("info", "more")
    lines = full.read_text().splitlines()
    assert "[warn:log] 3 lines were lost: No space left on device" in lines[0]
    assert [line.split("] ")[1] for line in lines[1:]] == ["there is room", "more"]
    assert log.lost_lines == 0


def test_folder_that_cannot_be_made_costs_lines_only(tmp_path: Path) -> None:
    blocker = tmp_path / "logs"
    blocker.write_text("a file where a folder should be")
    log = LogFile(blocker / "a.log")
    log.write("info", "lost")
    assert (log.is_open, log.lost_lines) == (False, 1)
    blocker.unlink()
    assert log.reopen_if_moved() is True
    log.write("info", "found")
    assert "1 lines were lost" in (blocker / "a.log").read_text()


def test_line_torn_by_a_size_limit_is_ended_before_the_next(tmp_path: Path) -> None:
    """RLIMIT_FSIZE cuts a write short exactly as a nearly full disk does."""
    path = tmp_path / "a.log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = LogFile(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        log.write("info", "x" * 100)
        log.write("info", "lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    log.write("info", "whole")
    lines = path.read_text().splitlines()
    assert len(lines[0]) == 50
    assert "[warn:log] 2 lines were lost: File too large" in lines[1]
    assert lines[2].endswith("[info] whole")


def test_notice_of_a_loss_needs_no_line_end_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = LogFile(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        log.write("info", "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    log.rotate()
    log.write("info", "whole")
    assert [line.partition("] ")[2] for line in path.read_text().splitlines()][1:] == ["whole"]


def test_after_close_lines_are_counted(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    log.close()
    log.write("info", "late")
    assert (log.lost_lines, (tmp_path / "a.log").read_text()) == (1, "")


def test_fifo_without_reader_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.log")
    log = LogFile(tmp_path / "a.log")
    log.write("info", "lost")
    assert (log.is_open, log.lost_lines) == (False, 1)


# ---------------------------------------------------------------- rotation


def test_rotate_renames_to_the_day_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = LogFile(path)
    log.write("info", "old")
    assert log.rotate() is True
    log.write("info", "new")
    (rotated,) = [p for p in tmp_path.iterdir() if p != path]
    assert re.fullmatch(r"a\.log\.\d{4}-\d\d-\d\d", rotated.name)
    assert "old" in rotated.read_text()
    assert path.read_text().count("\n") == 1


def test_empty_file_is_not_rotated(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    assert log.rotate() is False
    assert [p.name for p in tmp_path.iterdir()] == ["a.log"]


def test_rotation_keeps_so_many(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    for number in range(5):
        log.write("info", f"round {number}")
        log.rotate(keep=2)
    kept = sorted(p for p in tmp_path.iterdir() if p.name != "a.log")
    assert ["round 3" in kept[0].read_text(), "round 4" in kept[1].read_text(), len(kept)] == [True, True, 2]


def test_yesterdays_file_is_rotated_under_yesterdays_date(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    noon = 1_700_000_000.0
    os.utime(path, (noon, noon))
    log = LogFile(path)
    assert log.rotate_daily(now=noon + 60) is False
    assert log.rotate_daily(now=noon + 86400) is True
    (rotated,) = [p.name for p in tmp_path.iterdir() if p != path]
    assert rotated.startswith("a.log.2023-11-1")
    assert log.rotate_daily(now=noon + 86400) is False


def test_rotation_that_fails_is_written_and_the_file_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    log = LogFile(tmp_path / "a.log")
    log.write("info", "one")
    monkeypatch.setattr(os, "rename", refuse)
    assert log.rotate() is False
    assert "[error:rotate] cannot rotate" in last_line(tmp_path / "a.log")


# ---------------------------------------------------------------- descriptors 1 and 2


def test_redirected_output_follows_a_rotation(tmp_path: Path) -> None:
    code = """
import os, sys
from skitaid.logs.lines import LogFile
from skitaid.logs.stdio import redirect
log = LogFile(sys.argv[1])
redirect(log)
print("printed", "\\udc80")
os.system("echo from a child")
log.rotate()
print("after")
sys.stderr.write("error\\n")
os._exit(0)
"""
    path = tmp_path / "stderr.log"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, timeout=30)
    assert done.stdout + done.stderr == b""
    (rotated,) = [p for p in tmp_path.iterdir() if p != path]
    assert rotated.read_text().splitlines() == ["printed \\udc80", "from a child"]
    assert path.read_text().splitlines() == ["after", "error"]


def test_redirected_output_on_a_full_disk_is_lost_and_nobody_fails() -> None:
    code = """
import os, sys
from skitaid.logs.lines import LogFile
from skitaid.logs.stdio import redirect
out = os.dup(1)
redirect(LogFile("/dev/full"))
print("printed", flush=True)
sys.stderr.write("error\\n" * 10000)
os.write(out, sys.stdout.name.encode())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30)
    assert done.stdout == b"<stdout>"
