from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.config.document import Document
from skitaid.config.reader import MAX_BYTES, decode, read_bytes, read_conf, read_document
from skitaid.config.report import Report
from tests.unit.rights import as_nobody


def read(text: str) -> tuple[Document, list[str]]:
    report = Report("x.conf")
    return read_conf(text, report), [str(problem) for problem in report.problems]


def entries(document: Document, section: str) -> list[tuple[str, str, int]]:
    return [(entry.key, entry.value.text, entry.line) for entry in document.sections[section].entries]


def test_keys_know_their_lines() -> None:
    document, problems = read("; first\n\n[server]\n  port = 80\n\n# more\nthreads=2 ; two\n[ ssl ]\n")
    assert problems == []
    assert entries(document, "server") == [("port", "80", 4), ("threads", "2", 7)]
    assert document.sections["ssl"].line == 8
    assert document.get("nothing") is None


def test_lines_keep_their_order_and_duplicates() -> None:
    document, problems = read("[routes:line]\n/ = a ; why\n: host\n/ = a\n")
    assert problems == []
    assert [(line.text, line.line) for line in document.sections["routes"].lines] == [
        ("/ = a", 2),
        (": host", 3),
        ("/ = a", 4),
    ]


def test_crontab_lines_are_raw() -> None:
    document, _ = read('[crontab:line]\n* * * * * a ; b "c\n; comment\n')
    assert [line.text for line in document.sections["crontab"].lines] == ['* * * * * a ; b "c']


def test_lf_and_crlf_read_the_same() -> None:
    text = "[server]\nport = 80\n[routes:line]\n/ = a\n"
    assert read(text) == read(text.replace("\n", "\r\n"))


def test_bad_lines_are_reported_and_the_rest_is_read() -> None:
    document, problems = read("[server]\nport\nthreads = 2\n[server]\nport = 1\n[ssl]\nenable_ssl = no\n")
    assert problems == [
        "x.conf:2: [server] 'port': expected key = value",
        "x.conf:4: section [server] is already at line 1 (merge the two)",
    ]
    assert entries(document, "server") == [("threads", "2", 3)]
    assert entries(document, "ssl") == [("enable_ssl", "no", 7)]


def test_a_long_bad_line_is_not_shown_whole() -> None:
    _, problems = read("[smtpda]\npassword: a-very-long-and-secret-word\n")
    assert len(problems) == 1
    assert "secret" not in problems[0]


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"a = 1", "a = 1"), (b"\xef\xbb\xbfa = 1", "a = 1"), ("d\u00e9j\u00e0".encode(), "d\u00e9j\u00e0"), (b"", "")],
)
def test_decode(data: bytes, text: str) -> None:
    report = Report("x.conf")
    assert decode(data, report) == text
    assert not report.has_errors


def test_decode_names_the_line_of_a_bad_byte() -> None:
    report = Report("x.conf")
    assert decode(b"one\ntwo\nthr\xe9e", report) == ""
    assert [str(problem) for problem in report.problems] == [
        "x.conf:3: byte 0xe9 is not UTF-8 (save the file as UTF-8)"
    ]


# ---------------------------------------------------------------- files


def why_not(path: Path) -> list[str]:
    report = Report("x.conf")
    assert read_bytes(path, report) is None
    return [problem.text for problem in report.problems]


def test_missing_file(tmp_path: Path) -> None:
    assert why_not(tmp_path / "a.conf") == ["there is no such file"]


def test_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "a.conf").symlink_to("gone.conf")
    assert why_not(tmp_path / "a.conf") == ["is a link to gone.conf, which does not exist"]


def test_folder(tmp_path: Path) -> None:
    assert why_not(tmp_path) == ["is a folder: expected a text file"]


def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.conf")
    assert why_not(tmp_path / "a.conf") == ["is not a regular file: expected a text file"]


def test_file_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b";" * (MAX_BYTES + 1))
    assert why_not(tmp_path / "a.conf") == [f"is larger than {MAX_BYTES} bytes: expected a conf file"]


def test_file_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"")
    assert why_not(tmp_path / "a.conf" / "b.conf") == ["cannot be read: Not a directory"]


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("[server]\n", encoding="utf-8")
    path.chmod(0)
    report = Report("x.conf")

    def ask() -> str:
        read_document(path, report)
        return "".join(f"{problem}\n" for problem in report.problems)

    answer = as_nobody(ask)
    assert answer.startswith("x.conf: no permission to read it (user id ")
    assert answer.endswith("(chown or chmod it, or start skitaid as a user who may read it)\n")
