from __future__ import annotations

import base64

import pytest

from skitaid.engine.access import AccessLog, record_of, refusal_record
from skitaid.engine.stream import Stream
from skitaid.logs.request import Record, line_formatter
from tests.unit.engine.rig import Rig, hello, request_bytes


def record(rig: Rig, *fields: str, method: str = "GET", body: bytes = b"") -> Record:
    rig.app(hello)
    assert rig.client().ask(request_bytes("/a?b=c", *fields, method=method, body=body)).code == 200
    return rig.records[-1]


def test_what_a_record_holds(rig: Rig) -> None:
    got = record(
        rig, "Referer: http://x/", "User-Agent: test/1", "X-Forwarded-For: 10.1.2.3", method="POST", body=b"12345"
    )
    _, peer, host, method, target, version, asked, code, size, transaction, local, *rest = got
    assert (peer, host, method, target, version) == ("192.0.2.7", "localhost", "POST", "/a?b=c", "1.1")
    assert (asked, code, size) == (5, 200, len(b"hello"))
    assert transaction and local == "1000"
    user, token, referer, agent, forwarded, connections, handling_ms, transfer_ms = rest
    assert (user, token) == (None, None)
    assert (referer, agent, forwarded) == ("http://x/", "test/1", "10.1.2.3")
    assert connections == 1
    assert 0 <= handling_ms < 20000 and 0 <= transfer_ms < 20000


def test_every_response_has_its_own_transaction(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    for _ in range(5):
        client.get("/")
    client.ask(b"nonsense\r\n\r\n")
    assert len(rig.records) == 6
    assert len({each[9] for each in rig.records}) == 6
    assert rig.engine.requests == 6


@pytest.mark.parametrize(
    ("given", "user", "token"),
    [
        ("Basic " + base64.b64encode(b"hans:geheim:1").decode(), "hans", None),
        ("basic " + base64.b64encode("jörg:x".encode()).decode(), "jörg", None),
        ("Basic " + base64.b64encode(b":x").decode(), None, None),
        ("Basic !!!", None, None),
        ("Basic a", None, None),
        ("Basic \xe4\xf6", None, None),
        ("Bearer abc.def", None, "abc.def"),
        ("Bearer", None, None),
        ('Digest realm="r", username="hans", uri="/"', "hans", None),
        ("Digest realm=x", None, None),
        ("Unknown thing", None, None),
    ],
)
def test_credentials(rig: Rig, given: str, user: str | None, token: str | None) -> None:
    got = record(rig, f"Authorization: {given}")
    assert got[11:13] == (user, token)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Referer: http://x/ y", 'User-Agent: a "b" \\ c', "X-Forwarded-For: 10.1.2.3, 10.1.2.4"),
        ("Authorization: Bearer abc.def", "User-Agent: caf\xe9"),
        ("Authorization: Basic " + base64.b64encode("j\xf6rg o:x".encode()).decode(),),
    ],
)
def test_a_line_made_at_once_is_the_line_of_the_record(rig: Rig, fields: tuple[str, ...]) -> None:
    lines: list[str] = []
    access = AccessLog("W3", lines.append)
    noted: list[Record] = []

    def answer(stream: Stream) -> None:
        stream.respond("200 OK", [], b"hello")
        # Twice: what a line and a block keep must read like what was made afresh.
        for _ in range(2):
            access.note(stream, 7)
            noted.append(record_of(stream, 7))

    rig.handler(answer)
    assert rig.client().ask(request_bytes("/a%20b\xe9?c=d", *fields)).code == 200
    # The last of a line is the time until now, which went on between line and record.
    expected = [line_formatter("W3")(record).rsplit(" ", 1)[0] for record in noted]
    assert [line.rsplit(" ", 1)[0] for line in lines] == expected
    assert all(line.endswith("\n") and line.isascii() for line in lines)


def test_a_refusal_is_a_line_too() -> None:
    lines: list[str] = []
    AccessLog("W0", lines.append).note_record(refusal_record("192.0.2.7", "G-1", 400, size=12, connections=3))
    assert lines[0].endswith(" 192.0.2.7 - - - HTTP/1.1 0 400 12 G-1 1000 - - - - - W0 3 0 0\n")
