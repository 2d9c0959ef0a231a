from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from skitaid.logs.request import CACHE_ENTRIES, FIELDS, LogOff, Record, format_json, line_formatter

NOON = 1_700_000_000.25

BASE: dict[str, Any] = {
    "time": NOON, "client": "127.0.0.1", "host": "localhost:5000", "method": "GET", "uri": "/a?b=c", "version": "1.1",
    "request_bytes": 7, "status": 200, "reply_bytes": 32970, "gtxn": "GTID-C3-R8", "ltxn": "1000", "user": None,
    "token": None, "referer": None, "agent": None, "forwarded_for": None, "connections": 3, "handle_ms": 4.4,
    "transfer_ms": 2.6,
}  # fmt: skip


def record(**changes: object) -> Record:
    values = BASE | changes
    return tuple(values[name] for name in FIELDS)  # type: ignore[return-value]


def fields(line: str) -> list[str]:
    """What a reader of the log does: blanks separate, quotes hold together."""
    return re.findall(r'"(?:[^"\\]|\\.)*"|[^ ]+', line.rstrip("\n"))


def test_order_of_the_fields() -> None:
    line = line_formatter("W0")(
        record(user="kim", token="t0", referer="http://r/", agent="A B", forwarded_for="10.1.1.1")
    )
    stamp = time.strftime("%Y.%m.%d %H:%M:%S", time.localtime(NOON))
    assert line == (
        f'{stamp} 127.0.0.1 localhost:5000 GET /a?b=c HTTP/1.1 7 200 32970 GTID-C3-R8 1000 "kim" t0 "http://r/" '
        '"A B" 10.1.1.1 W0 3 4 3\n'
    )


def test_absent_fields_are_dashes() -> None:
    line = line_formatter("M")(record(host=None))
    assert line.split(" ", 2)[2] == "127.0.0.1 - GET /a?b=c HTTP/1.1 7 200 32970 GTID-C3-R8 1000 - - - - - M 3 4 3\n"


@pytest.mark.parametrize("name", ["client", "host", "method", "uri", "gtxn", "ltxn", "token", "forwarded_for"])
def test_plain_field_stays_one_field(name: str) -> None:
    line = line_formatter("W0")(record(**{name: 'a b\n"c\\\u2028é\x1b'}))
    assert line.count("\n") == 1
    found = fields(line)
    assert len(found) == 21
    assert r"a\x20b\n\"c\\\u2028\xe9\x1b" in found


@pytest.mark.parametrize("name", ["client", "host", "method", "uri", "gtxn", "ltxn"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_plain_field_is_a_dash(name: str, value: str | None) -> None:
    assert len(fields(line_formatter("W0")(record(**{name: value})))) == 21


def test_two_wrong_fields_cannot_make_up_for_each_other() -> None:
    line = line_formatter("W0")(record(client="", host="a b"))
    assert fields(line)[2:4] == ["-", r"a\x20b"]


@pytest.mark.parametrize("name", ["user", "referer", "agent"])
def test_quoted_field_cannot_be_left(name: str) -> None:
    line = line_formatter("W0")(record(**{name: 'x" 200 "\\\r\nforged'}))
    assert line.count("\n") == 1
    found = fields(line)
    assert len(found) == 21
    assert r'"x\" 200 \"\\\r\nforged"' in found


def test_whole_line_is_ascii_whatever_is_sent() -> None:
    nasty = "".join(map(chr, [*range(0x300), 0x2028, 0xD800, 0x1F600]))
    changes = dict.fromkeys(["client", "host", "method", "uri", "token", "user", "referer", "agent"], nasty)
    line = line_formatter("W0")(record(**changes))
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    assert len(fields(line)) == 21


def test_second_changes_with_the_record() -> None:
    write = line_formatter("W0")
    stamps = [write(record(time=NOON + step))[:19] for step in (0, 0.5, 1, 0)]
    assert stamps[0] == stamps[1] == stamps[3] != stamps[2]


def test_many_agents_are_formatted_each_its_own() -> None:
    write = line_formatter("W0")
    wanted = [f'"agent {n}"' for n in range(CACHE_ENTRIES * 2 + 10)]
    assert [fields(write(record(agent=text.strip('"'))))[15] for text in wanted] == wanted


def test_json_line_holds_every_field() -> None:
    text = format_json(record(agent='a"\n\u2028é'), "W1")
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text) == {**BASE, "agent": 'a"\n\u2028é', "worker": "W1"}


@pytest.mark.parametrize(
    ("patterns", "uri", "is_off"),
    [
        (["/static/"], "/static/a.js", True),
        (["/static/"], "/static", False),
        (["/static/"], "/my/static/", False),
        (["/static/*"], "/static/a.js", True),
        (["*.css"], "/a/b.css", True),
        (["*.css"], "/a/b.css?v=1", True),
        (["*.css"], "/a?f=b.css", False),
        (["*.css", "/static/images/", "/static/js/"], "/static/js/x", True),
        (["*/feed*"], "/a/feed/b", True),
        (["*/feed*"], "/a/food/b", False),
        ([], "/a", False),
        (["", "*"], "/a", False),
    ],
)
def test_log_off(patterns: list[str], uri: str, is_off: bool) -> None:
    assert LogOff(patterns).matches(uri) is is_off


def test_log_off_without_patterns_is_false() -> None:
    assert (bool(LogOff([])), bool(LogOff(["/a"]))) == (False, True)
