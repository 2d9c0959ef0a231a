from __future__ import annotations

import pytest

from skitaid.agents.smtpda.addresses import parse_mailboxes
from skitaid.agents.smtpda.errors import MailError


def addresses(given: object) -> list[str]:
    return [box.address for box in parse_mailboxes(given)]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a@x.org", ["a@x.org"]),
        ("Ann <a@x.org>", ["a@x.org"]),
        ("a@x.org, Bob <b@x.org>", ["a@x.org", "b@x.org"]),
        (("Ann, the first", "a@x.org"), ["a@x.org"]),
        (["a@x.org", ("Bob", "b@x.org"), "c@x.org, d@x.org"], ["a@x.org", "b@x.org", "c@x.org", "d@x.org"]),
        (("a@x.org", "b@x.org"), ["a@x.org", "b@x.org"]),
        ('"a b"@x.org', ['"a b"@x.org']),
        ("a@[127.0.0.1]", ["a@[127.0.0.1]"]),
        ("ü@exämple.com", ["ü@xn--exmple-cua.com"]),
        ("a@x.org, ", ["a@x.org"]),
        ("<a@x.org>,b@x.org", ["a@x.org", "b@x.org"]),
        ('"a, b"@x.org, "Ann \\"A\\", B" < b@x.org >', ['"a, b"@x.org', "b@x.org"]),
        ("", []),
        ((), []),
    ],
)
def test_addresses(given: object, found: list[str]) -> None:
    assert addresses(given) == found


@pytest.mark.parametrize(
    "text",
    [
        "a@x.org," + " " * 200_000 + '"',
        "a" + " " * 200_000 + "b",
        '"' * 100_001,
        "a " * 100_000,
        '"' + "\\\\" * 100_000,
    ],
)
def test_text_without_sense_takes_no_time(text: str) -> None:
    with pytest.raises(MailError):
        parse_mailboxes(text)


def test_names() -> None:
    assert [box.name for box in parse_mailboxes('"Ann, B." <a@x.org>, Jörg <j@x.org>')] == ["Ann, B.", "Jörg"]


@pytest.mark.parametrize(
    "given",
    [
        "a@straße.de",
        "a@x\u200dy.org",
        ",a@x.org",
        "a@x.org b@x.org",
        "a@x.org <b@x.org>",
        "Ann, B <a@x.org>",
        "Ann <a@x.org> <b@x.org>",
        "Ann <a@x.org",
        "x@y]<a@x.org>",
        'Ann "A <a@x.org>',
        "(a@x.org) b@x.org",
        "a@x.org(b)",
        "undisclosed:;",
        "Ann <>",
        "a",
        "a@",
        "@x.org",
        "a@b@x.org",
        "a@x..org",
        "a@-x.org",
        "a b@x.org",
        "a@x.org\nBcc: b@x.org",
        "a\r@x.org",
        ("Ann\r\nBcc: b@x.org", "a@x.org"),
        ("Ann", "a@x.org>\r\nRCPT TO:<b@x.org"),
        ("Ann", "a@x.org> <b@x.org"),
        "a..b@x.org",
        f"{'a' * 65}@x.org",
        f"a@{'x' * 64}.org",
        7,
        b"a@x.org",
        [None],
        ("Ann", "a@x_y.org"),
    ],
)
def test_what_is_no_address(given: object) -> None:
    with pytest.raises(MailError):
        parse_mailboxes(given)
