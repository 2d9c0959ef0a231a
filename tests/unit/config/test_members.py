from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.config.fields import Place
from skitaid.config.members import masked, parse_member, show_member
from skitaid.config.model import Member
from skitaid.config.report import UnfitError

PLACE = Place("x.conf", Path("/srv/etc"), Path("/srv/cert"))

CASES = [
    ("http", "a.example:8080", Member("a.example", 8080)),
    ("http", "a.example", Member("a.example", 80)),
    ("https", "a.example", Member("a.example", 443)),
    ("http", "a.example:8080 3", Member("a.example", 8080, weight=3)),
    ("http", "[::1]:8080", Member("::1", 8080)),
    ("http", "user:pw@a.example:8080", Member("a.example", 8080, user="user", password="pw")),
    ("http", "unix:/run/a.sock", Member("", path="/run/a.sock")),
    ("http", "unix:a.sock 2", Member("", path="/srv/etc/a.sock", weight=2)),
    ("postgresql", "u:p%40q@h:1/db 20", Member("h", 1, None, "db", "u", "p@q", 20)),
    ("postgresql", "u:p@q@h:1/db", Member("h", 1, None, "db", "u", "p@q")),
    ("postgresql", "h:1/db/user/pa/ss@word", Member("h", 1, None, "db", "user", "pa/ss@word")),
    ("postgresql", "h:1/db/user/", Member("h", 1, None, "db", "user")),
    ("postgresql", "h/db", Member("h", 5432, None, "db")),
    ("postgresql", "u@unix:/run/pg:db", Member("", None, "/run/pg", "db", "u")),
    ("postgresql", "u:100%@h", Member("h", 5432, user="u", password="100%")),
    ("postgresql", "u:%c3%a9%ff@h", Member("h", 5432, user="u", password="%c3%a9%ff")),
    ("redis", ":pw@h", Member("h", 6379, password="pw")),
    ("sqlite3", "/var/a.db", Member("", path="/var/a.db")),
    ("sqlite3", "a.db 2", Member("", path="/srv/etc/a.db", weight=2)),
]


@pytest.mark.parametrize(("alias_type", "text", "member"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_forms(alias_type: str, text: str, member: Member) -> None:
    found = parse_member(text, PLACE, alias_type=alias_type)
    assert found == member
    assert parse_member(show_member(found, alias_type), PLACE, alias_type=alias_type) == member


def test_tls_changes_the_default_port() -> None:
    assert parse_member("a.example", PLACE, alias_type="http", is_tls=True).port == 443


@pytest.mark.parametrize(
    ("alias_type", "text"),
    [
        ("http", "a.example:0"),
        ("http", "a.example:80/path"),
        ("http", "a b:80"),
        ("http", "a.example:80 2000"),
        ("http", "::1:80"),
        ("http", ""),
        ("postgresql", "u:p/q@h:1/db"),
        ("postgresql", ":5432/db"),
    ],
)
def test_what_is_no_member(alias_type: str, text: str) -> None:
    with pytest.raises(UnfitError):
        parse_member(text, PLACE, alias_type=alias_type)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("http://a.example:80", "write host:port, without http:// and path"),
        ("https://u:hush@a.example/x 2", "write host:port, without https:// and path; type = https speaks TLS"),
    ],
)
def test_a_url_is_told_what_to_write(text: str, fix: str) -> None:
    with pytest.raises(UnfitError) as info:
        parse_member(text, PLACE, alias_type="http")
    assert (info.value.text.partition(": ")[2], info.value.fix) == ("a URL is not a member", fix)
    assert "hush" not in info.value.text


@pytest.mark.parametrize("text", ["u:hush@h:x/db", "h:x/db/u/hush", "u:hush/hush@h", "u:hu@sh@h:99999"])
def test_no_message_shows_a_password(text: str) -> None:
    assert "hush" not in masked(text)
    with pytest.raises(UnfitError) as caught:
        parse_member(text, PLACE, alias_type="postgresql")
    assert "hush" not in caught.value.text + caught.value.fix
