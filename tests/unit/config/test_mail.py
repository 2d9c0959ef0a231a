from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.config.load import load_main

LOGIN = "user = shop\npassword = secret\n"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("smtpserver = mail.example.com\nstarttls = opportunistic\n" + LOGIN, 3, "certificate"),
        ("smtpserver = mail.example.com\nstarttls = no\n" + LOGIN, 3, "in the clear"),
        ("smtpserver = [2001:db8::1]:25\n" + LOGIN + "starttls = no\n", 5, "[2001:db8::1]:25"),
        ("smtpserver = 127.0.0.1.example.com\nstarttls = no\n" + LOGIN, 3, "127.0.0.1.example.com"),
    ],
)
def test_a_password_that_others_may_read(tmp_path: Path, text: str, line: int, word: str) -> None:
    (tmp_path / "skitaid.conf").write_text("[smtpda]\n" + text)
    (problem,) = load_main(tmp_path).warnings
    assert problem.is_warning and problem.line == line
    assert "password" in problem.text and word in problem.text and problem.fix == "starttls = yes"


@pytest.mark.parametrize(
    "text",
    [
        "smtpserver = mail.example.com\n" + LOGIN,
        "smtpserver = mail.example.com\nssl = yes\nstarttls = no\n" + LOGIN,
        "smtpserver = mail.example.com\nstarttls = no\n",
        "smtpserver = mail.example.com\nstarttls = opportunistic\n",
        "smtpserver = 127.0.0.1\nstarttls = no\n" + LOGIN,
        "smtpserver = localhost:25\nstarttls = opportunistic\n" + LOGIN,
        "smtpserver = [::1]:25\nstarttls = no\n" + LOGIN,
        "starttls = no\n" + LOGIN,
    ],
)
def test_a_password_that_nobody_else_sees(tmp_path: Path, text: str) -> None:
    (tmp_path / "skitaid.conf").write_text("[smtpda]\n" + text)
    assert load_main(tmp_path).warnings == ()


def test_files_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "cert").mkdir()
    (tmp_path / "cert" / "mail.key").write_text("a key")
    (tmp_path / "skitaid.conf").write_text(
        "[smtpda]\ncafile = ca.pem\ndkim_domain = x.org\ndkim_selector = a\ndkim_key = mail.key\n"
    )
    (problem,) = load_main(tmp_path).warnings
    assert problem.line == 2 and "there is no file" in problem.text and "no mail is delivered" in problem.text
