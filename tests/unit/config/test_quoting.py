from __future__ import annotations

import random

import pytest

from skitaid.config.quoting import quote, split_items, strip_comment, unquote


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("value ; comment", "value"),
        ("value\t; comment", "value"),
        ("value;no comment", "value;no comment"),
        ("a;b ;c", "a;b"),
        (" ; only a comment", ""),
        ('"a ; b" ; c', '"a ; b"'),
        ("'a ; b' ; c", "'a ; b'"),
        ("it's ; a comment", "it's"),
        ("'tis ; a comment", "'tis"),
        (r'"a \" ; b" ; c', r'"a \" ; b"'),
        ("/path = 'a ; b' ; c", "/path = 'a ; b'"),
        ("# stays", "# stays"),
        ("", ""),
    ],
)
def test_strip_comment(written: str, kept: str) -> None:
    assert strip_comment(written) == kept


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ('"double"', "double"),
        ("'single'", "single"),
        (r"'no \n escape'", r"no \n escape"),
        (r'"tab\t quote\" back\\ line\n"', 'tab\t quote" back\\ line\n'),
        (r'"unknown \x escape"', "unknown x escape"),
        ("'a' and 'b'", "'a' and 'b'"),
        ('"open', '"open'),
        ('"', '"'),
        ('""', ""),
        ("", ""),
    ],
)
def test_unquote(written: str, meant: str) -> None:
    assert unquote(written) == meant


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("a, b,c", ("a", "b", "c")),
        ("a,, b, ", ("a", "b")),
        ('"a, b", c', ("a, b", "c")),
        ("'a, b','c'", ("a, b", "c")),
        ("it's, that's", ("it's", "that's")),
        ("", ()),
    ],
)
def test_split_items(written: str, items: tuple[str, ...]) -> None:
    assert split_items(written) == items


def test_plain_text_is_written_plainly() -> None:
    for text in ("value", "two words", "it's", "a#b", "C:\\folder", "a=b", "d\u00e9j\u00e0"):
        assert quote(text) == text


def random_text(source: random.Random) -> str:
    return "".join(source.choice("ab,;'\" \\#=\t\n\r\u00e9@%[]") for _ in range(source.randrange(12)))


def test_what_is_quoted_is_read_back() -> None:
    source = random.Random(4711)
    for _ in range(4000):
        text = random_text(source)
        assert unquote(strip_comment(f" {quote(text)}")) == text


def test_a_list_that_is_quoted_is_read_back() -> None:
    source = random.Random(1147)
    for _ in range(2000):
        items = tuple(filter(None, (random_text(source) for _ in range(source.randrange(5)))))
        written = ", ".join(quote(item, in_list=True) for item in items)
        assert split_items(strip_comment(f" {written}")) == items
