from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skitaid.agents.smtpda.fields import address_field, field, parameter, subject_field

LETTERS = st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(' ,;:"\\<>()@?=_')
"""What prints, and of what separates, the blank."""
FORGED = "=?utf-8?q?a=0D=0ABcc:_x=40y.org=0D=0A=0D=0Abody?="


def unfolded(text: str) -> str:
    name, _, value = text.removesuffix("\r\n").partition(":")
    assert name and all(line.startswith(" ") and line.strip() for line in text.split("\r\n")[1:-1])
    return value.replace("\r\n", "").strip()


def parsed(text: str) -> EmailMessage:
    message = message_from_bytes(text.encode() + b"\r\n", policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@given(st.text(LETTERS, max_size=200))
def test_a_subject_is_read_as_it_was_given(text: str) -> None:
    written = subject_field("Subject", text)
    assert str(make_header(decode_header(unfolded(written)))) == text.strip(" ")
    assert written.isascii()


@given(st.text(LETTERS, max_size=400))
def test_lines_with_encoded_words_are_short(text: str) -> None:
    for line in subject_field("Subject", text).split("\r\n"):
        assert len(line) <= 76 or " =?" not in line


@pytest.mark.parametrize(
    "value",
    [
        "<https://example.com/" + "x" * 300 + ">, <mailto:u@example.com>",
        " ".join(f"<{'a' * length}@example.com>" for length in (30, 60, 90, 120)),
        FORGED,
    ],
)
def test_what_is_ascii_stays_as_it_is(value: str) -> None:
    assert unfolded(field("X-Y", value)) == value


def test_other_words_are_encoded_and_no_more_than_those() -> None:
    assert field("Sender", "Jörg <j@x.org>") == "Sender: =?utf-8?b?SsO2cmc=?= <j@x.org>\r\n"


def test_what_is_too_long_for_a_line_is_encoded() -> None:
    written = field("X-Y", "x" * 2000)
    assert max(map(len, written.split("\r\n"))) <= 76
    assert str(make_header(decode_header(unfolded(written)))) == "x" * 2000


@given(st.lists(st.text(LETTERS, max_size=120), min_size=1, max_size=4))
def test_a_name_is_one_name_whatever_is_in_it(names: list[str]) -> None:
    written = address_field("To", [(name, f"b{number}@x.org") for number, name in enumerate(names)])
    found = parsed(written)["To"].addresses
    assert [box.addr_spec for box in found] == [f"b{number}@x.org" for number in range(len(names))]


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Doe, John",
        'The "Boss" \\',
        "a" * 80 + ", <z@x.org>," + " b" * 40,
        "Jörg, <z@x.org>",
        "a.b",
        "(x)",
        FORGED,
        "ü" * 90,
    ],
)
def test_names(name: str) -> None:
    (box,) = parsed(address_field("To", [(name, "b@x.org")]))["To"].addresses
    assert box.addr_spec == "b@x.org"
    # Between two encoded words of a name Python's parser sees a blank, which RFC 2047 (section 6.2) does not.
    assert box.display_name.replace(" ", "") == name.replace(" ", "") or name == FORGED
    assert parsed(address_field("To", [(name, "b@x.org")])).keys() == ["To"]


@pytest.mark.parametrize(
    "name",
    [
        "a.txt",
        'a"b;c\\ d.txt',
        "täb.csv",
        "ü" * 90 + ".txt",
        "x" * 300,
        "a b",
        FORGED,
        "%41",
    ],
)
def test_names_of_files(name: str) -> None:
    written = f"Content-Disposition: attachment{parameter('filename', name)}\r\n"
    assert message_from_bytes(written.encode() + b"\r\n").get_filename() == name
    assert max(map(len, written.split("\r\n"))) <= 230
