from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from skitaid.agents.smtpda.attempt import Attempt
from skitaid.agents.smtpda.envelope import Envelope, Route, Starttls
from skitaid.agents.smtpda.errors import DeliveryError
from skitaid.agents.smtpda.ledger import Slip
from skitaid.agents.smtpda.retry import Status
from skitaid.agents.smtpda.session import Session, Terms
from skitaid.agents.smtpda.transaction import Letter, Transaction
from skitaid.agents.smtpda.wire import inspect

MESSAGE = b"Subject: x\r\n\r\n.\r\nbody\r\n"
HELLO = b"220 sink\r\n250-sink\r\n250-8BITMIME\r\n250-SIZE 1000\r\n250-SMTPUTF8\r\n250 HELP\r\n"
PIPELINING = HELLO.replace(b"HELP", b"PIPELINING")
ROUTE = Route("127.0.0.1")


class Script:
    """A session whose server says what it is told to, whatever is asked, and hears everything."""

    def __init__(self, says: bytes, route: Route = ROUTE) -> None:
        ours, self._theirs = socket.socketpair()
        self._theirs.sendall(says)
        self._theirs.shutdown(socket.SHUT_WR)
        self.session = Session(route, Terms("host.example", 5.0), ours)

    def heard(self) -> bytes:
        self.session.close()
        data = b""
        while piece := self._theirs.recv(65536):
            data += piece
        self._theirs.close()
        return data


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def make(says: bytes, route: Route = ROUTE) -> Script:
        made.append(Script(says, route))
        return made[-1]

    yield make
    for each in made:
        each.session.close()
        each._theirs.close()


class Witness(Slip):
    """Notes what was sent when it was armed, and that it was marked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def arm(self, recipients: Sequence[str]) -> None:
        self.calls.append(tuple(recipients))

    def mark(self) -> None:
        self.calls.append("marked")


@pytest.mark.parametrize(("last", "marked"), [(b"250 ok", ["marked"]), (b"451 no", []), (b"554 no", [])])
def test_it_is_marked_when_the_server_has_it(script: Callable[..., Script], last: bytes, marked: list[str]) -> None:
    witness = Witness()
    found = script(HELLO + b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n" + last + b"\r\n")
    carried(found, replace(letter(), slip=witness))
    assert witness.calls == [("c@x.org",), *marked]


def letter(message: bytes = MESSAGE, **fields: object) -> Letter:
    envelope = replace(Envelope("m", 1.0, "a@x.org", ("b@x.org", "c@x.org")), **fields)  # type: ignore[arg-type]
    return Letter(envelope, inspect([message]), lambda: [message])


def carried(found: Script, given: Letter | None = None) -> dict[str, str]:
    """Recipient to what became of it."""
    given = given or letter()
    found.session.begin()
    transaction = Transaction(found.session, given)
    transaction.run(given.envelope.recipients)
    return {each: answer.status.value for each, answer in transaction.answers.items()}


def test_a_mail(script: Callable[..., Script]) -> None:
    found = script(HELLO + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    assert carried(found) == {"b@x.org": "delivered", "c@x.org": "delivered"}
    assert found.heard() == (b"EHLO host.example\r\nMAIL FROM:<a@x.org> SIZE=23\r\n"
                             b"RCPT TO:<b@x.org>\r\nRCPT TO:<c@x.org>\r\nDATA\r\nSubject: x\r\n\r\n..\r\nbody\r\n.\r\n")


def test_a_group_of_commands(script: Callable[..., Script]) -> None:
    found = script(PIPELINING + b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    assert carried(found) == {"b@x.org": "failed", "c@x.org": "delivered"}


@pytest.mark.parametrize(("says", "b", "c"), [
    (b"451 later\r\n250 rset\r\n", "waiting", "waiting"),
    (b"550 no\r\n250 rset\r\n", "failed", "failed"),
    (b"250 ok\r\n450 later\r\n550 no\r\n250 rset\r\n", "waiting", "failed"),
    (b"250 ok\r\n552 too many\r\n250 ok\r\n354 go\r\n250 ok\r\n", "waiting", "delivered"),
    (b"250 ok\r\n250 ok\r\n251 will forward\r\n354 go\r\n250 ok\r\n", "delivered", "delivered"),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n451 no room\r\n", "waiting", "waiting"),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n554 no\r\n", "failed", "failed"),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n452 later\r\n", "waiting", "waiting"),
    (b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n552 too big\r\n", "failed", "failed"),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n354 what\r\n", "waiting", "waiting"),
])
def test_what_the_server_said_of_each(script: Callable[..., Script], says: bytes, b: str, c: str) -> None:
    assert carried(script(HELLO + says)) == {"b@x.org": b, "c@x.org": c}


@pytest.mark.parametrize("says", [
    b"250 ok\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", b"250 ok\r\nxyzzy\r\n",
    b"250 ok\r\n250 ok\r\n250 ok\r\n250 what\r\n", b"421 closing\r\n",
    b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 closing\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n25",
])
def test_without_an_answer_nothing_is_known(script: Callable[..., Script], says: bytes) -> None:
    found = script(HELLO + says)
    with pytest.raises(DeliveryError):
        carried(found)
    assert not found.session.is_open


@pytest.mark.parametrize(("message", "fields", "reason"), [
    (b"bare\nline\r\n", {}, "5.6.0"), (b"x" * 997 + b"\r\n\r\n", {}, "5.3.4"),
])
def test_what_cannot_be_sent_unchanged_is_not_sent(script: Callable[..., Script], message: bytes,
                                                   fields: dict[str, object], reason: str) -> None:
    found = script(HELLO)
    assert set(carried(found, letter(message, **fields)).values()) == {"failed"}
    assert found.heard() == b"EHLO host.example\r\n"


def test_an_old_server(script: Callable[..., Script]) -> None:
    found = script(b"220 old\r\n502 what\r\n250 hello\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    assert carried(found) == {"b@x.org": "delivered", "c@x.org": "delivered"}
    assert b"HELO host.example\r\nMAIL FROM:<a@x.org>\r\n" in found.heard()
    for given in (letter(b"\xe9\r\n"), letter(is_utf8=True)):
        found = script(b"220 old\r\n502 what\r\n250 hello\r\n")
        assert set(carried(found, given).values()) == {"failed"}


def test_eight_bits_and_international_addresses_are_announced(script: Callable[..., Script]) -> None:
    found = script(HELLO + b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    carried(found, letter(b"\xe9\r\n", is_utf8=True, recipients=("ü@x.org",)))
    assert "MAIL FROM:<a@x.org> SIZE=3 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<ü@x.org>\r\n".encode() in found.heard()


@pytest.mark.parametrize("says", [
    b"554 go away\r\n", b"421 later\r\n", b"", b"220 sink\r\n550 no\r\n550 no\r\n", HELLO,
    HELLO.replace(b"HELP", b"STARTTLS") + b"454 no TLS today\r\n",
    HELLO.replace(b"HELP", b"STARTTLS") + b"220 go\r\n250 injected\r\n",
])
def test_no_session_without_the_tls_that_is_required(script: Callable[..., Script], says: bytes) -> None:
    found = script(says, Route("127.0.0.1", user="ann", password="secret", starttls=Starttls.REQUIRED))
    with pytest.raises(DeliveryError):
        found.session.begin()
    heard = found.heard()
    assert b"AUTH" not in heard and b"MAIL" not in heard


def test_a_way_to_log_in_that_is_offered_and_not_there(script: Callable[..., Script]) -> None:
    route = Route("127.0.0.1", user="ann", password="secret")
    hello = HELLO.replace(b"HELP", b"AUTH PLAIN CRAM-MD5")
    found = script(hello + b"504 unknown mechanism\r\n235 welcome\r\n", route)
    found.session.begin()
    assert found.heard().endswith(b"AUTH CRAM-MD5\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n")
    found = script(hello + b"535 wrong\r\n", route)
    with pytest.raises(DeliveryError, match="by CRAM-MD5: 535 wrong"):
        found.session.begin()


def test_a_kept_connection_that_the_server_has_closed(script: Callable[..., Script]) -> None:
    kept = script(PIPELINING + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    carried(kept)
    fresh = script(HELLO + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    fresh.session.begin()
    attempt = Attempt(Terms("host.example"), open=lambda route, terms: fresh.session)
    result = attempt.run(letter(), ("b@x.org", "c@x.org"), ROUTE, kept.session)
    assert {answer.status for answer in result.answers.values()} == {Status.DELIVERED}
    assert result.session is fresh.session


def test_a_server_that_says_later_gets_a_new_connection(script: Callable[..., Script]) -> None:
    found = script(HELLO + b"451 later\r\n250 rset\r\n221 bye\r\n")
    found.session.begin()
    attempt = Attempt(Terms("host.example"), open=lambda route, terms: found.session)
    result = attempt.run(letter(), ("b@x.org",), ROUTE, None)
    assert result.session is None and result.is_reachable
    assert found.heard().endswith(b"RSET\r\nQUIT\r\n")


def test_a_server_that_cannot_be_reached() -> None:
    def refuse(route: Route, terms: Terms) -> Session:
        raise DeliveryError("cannot connect")

    result = Attempt(Terms("host.example"), open=refuse).run(letter(), ("b@x.org",), ROUTE, None)
    assert not result.is_reachable and result.answers["b@x.org"].status is Status.WAITING
