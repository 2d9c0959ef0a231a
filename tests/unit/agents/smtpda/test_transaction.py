from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from skitaid.agents.smtpda.attempt import Attempt
from skitaid.agents.smtpda.delivery_journal import JournalEntry
from skitaid.agents.smtpda.envelope import Envelope, Route, Starttls
from skitaid.agents.smtpda.errors import DeliveryError
from skitaid.agents.smtpda.retry import Status
from skitaid.agents.smtpda.session import Session, Terms
from skitaid.agents.smtpda.transaction import DeliveryRequest, Transaction
from skitaid.agents.smtpda.wire import inspect


def replies_of(text: bytes) -> list[bytes]:
    """Each of them by itself, the last one perhaps torn."""
    return re.findall(rb"(?:\d\d\d-.*\n)*.*\n|.+\Z", text)


MESSAGE = b"Subject: x\r\n\r\n.\r\nbody\r\n"
HELLO = b"220 sink\r\n250-sink\r\n250-8BITMIME\r\n250-SIZE 1000\r\n250-SMTPUTF8\r\n250 HELP\r\n"
PIPELINING = HELLO.replace(b"HELP", b"PIPELINING")
GREETING, ABILITIES = replies_of(HELLO)
HELLO_TLS = ABILITIES.replace(b"HELP", b"STARTTLS")
ROUTE = Route("127.0.0.1")


Packets = Sequence[bytes]


class Server:
    """The socket to a server that plays its part: the first element at once, each other one when it has heard a line,
    or, after a 354, a message with its last dot. An element of several packets is more than one reply. After the last
    one it closes, unless it `stays`."""

    family = socket.AF_UNIX

    def __init__(self, part: Sequence[bytes | Packets], *, stays: bool = False) -> None:
        self._part = deque([each] if isinstance(each, bytes) else each for each in part)
        self._stays = stays
        self._said: deque[bytes] = deque()
        self._interruptions: dict[bytes, bytes] = {}
        self._unheard = b""
        self._waits_s: float | None = None
        self.heard = b""
        self.is_open = True
        self._speak()

    def _speak(self) -> None:
        if self._part:
            packets = self._part.popleft()
            self._end = b"\r\n.\r\n" if packets[0].startswith(b"354") else b"\r\n"
            self._said.extend(packets)

    def sendall(self, data: bytes) -> None:
        self.heard += data
        self._unheard += data
        self._said.extend(text for at, text in self._interruptions.items() if data == at)
        while self._end in self._unheard:
            _, _, self._unheard = self._unheard.partition(self._end)
            self._speak()

    def interrupt(self, at: bytes, text: bytes) -> None:
        """Say that when these bytes have come."""
        self._interruptions[at] = text

    def recv(self, size: int) -> bytes:
        if self._said:
            packet = self._said.popleft()
            if packet[size:]:
                self._said.appendleft(packet[size:])
            return packet[:size]
        if not self._part and not self._stays:
            return b""
        raise TimeoutError if self._waits_s else BlockingIOError

    def settimeout(self, wait_s: float | None) -> None:
        self._waits_s = wait_s

    def fileno(self) -> int:
        return 0 if self.is_open else -1

    def close(self) -> None:
        self.is_open = False


class Script:
    """A session with such a server."""

    def __init__(self, says: bytes | Sequence[bytes | Packets], route: Route = ROUTE, *, stays: bool = False) -> None:
        self._server = Server(replies_of(says) if isinstance(says, bytes) else says, stays=stays)
        self.session = Session(route, Terms("host.example", 5.0), cast(socket.socket, self._server))
        self.interrupt = self._server.interrupt

    def heard(self) -> bytes:
        return self._server.heard


class Witness(JournalEntry):
    """Notes what was sent when it was armed, and that it was marked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def arm(self, recipients: Sequence[str]) -> None:
        self.calls.append(tuple(recipients))

    def mark(self) -> None:
        self.calls.append("marked")


@pytest.mark.parametrize(("last", "marked"), [(b"250 ok", ["marked"]), (b"451 no", []), (b"554 no", [])])
def test_it_is_marked_when_the_server_has_it(last: bytes, marked: list[str]) -> None:
    witness = Witness()
    found = Script(HELLO + b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n" + last + b"\r\n")
    carried(found, replace(request(), entry=witness))
    assert witness.calls == [("c@x.org",), *marked]


def request(message: bytes = MESSAGE, **fields: object) -> DeliveryRequest:
    envelope = replace(Envelope("m", 1.0, "a@x.org", ("b@x.org", "c@x.org")), **fields)  # type: ignore[arg-type]
    return DeliveryRequest(envelope, inspect([message]), lambda: [message])


def carried(found: Script, given: DeliveryRequest | None = None) -> dict[str, str]:
    """Recipient to what became of it."""
    given = given or request()
    found.session.begin()
    transaction = Transaction(found.session, given)
    transaction.run(given.envelope.recipients)
    return {each: answer.status.value for each, answer in transaction.answers.items()}


def test_a_mail() -> None:
    found = Script(HELLO + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    assert carried(found) == {"b@x.org": "delivered", "c@x.org": "delivered"}
    assert found.heard() == (
        b"EHLO host.example\r\nMAIL FROM:<a@x.org> SIZE=23\r\n"
        b"RCPT TO:<b@x.org>\r\nRCPT TO:<c@x.org>\r\nDATA\r\nSubject: x\r\n\r\n..\r\nbody\r\n.\r\n"
    )


def test_a_group_of_commands() -> None:
    found = Script(PIPELINING + b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    assert carried(found) == {"b@x.org": "failed", "c@x.org": "delivered"}


@pytest.mark.parametrize(
    ("says", "b", "c"),
    [
        (b"451 later\r\n250 rset\r\n", "waiting", "waiting"),
        (b"550 no\r\n250 rset\r\n", "failed", "failed"),
        (b"250 ok\r\n450 later\r\n550 no\r\n250 rset\r\n", "waiting", "failed"),
        (b"250 ok\r\n552 too many\r\n250 ok\r\n354 go\r\n250 ok\r\n", "waiting", "delivered"),
        (b"250 ok\r\n250 ok\r\n251 will forward\r\n354 go\r\n250 ok\r\n", "delivered", "delivered"),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n451 no room\r\n250 rset\r\n", "waiting", "waiting"),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n554 no\r\n250 rset\r\n", "failed", "failed"),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n452 later\r\n", "waiting", "waiting"),
        (b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n552 too big\r\n", "failed", "failed"),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n354 what\r\n", "waiting", "waiting"),
    ],
)
def test_what_the_server_said_of_each(says: bytes, b: str, c: str) -> None:
    assert carried(Script(HELLO + says)) == {"b@x.org": b, "c@x.org": c}


def test_a_refused_mail_does_not_stand_in_the_way_of_the_next() -> None:
    """After a DATA that was refused a server still has sender and recipients, and takes no other MAIL."""
    found = Script(HELLO + b"250 ok\r\n250 ok\r\n250 ok\r\n550 5.7.1 no\r\n250 rset\r\n")
    carried(found)
    assert found.heard().endswith(b"DATA\r\nRSET\r\n")


@pytest.mark.parametrize(
    "says",
    [
        b"250 ok\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        b"250 ok\r\nxyzzy\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n250 what\r\n",
        b"421 closing\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 closing\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n25",
    ],
)
def test_without_an_answer_nothing_is_known(says: bytes) -> None:
    found = Script(HELLO + says)
    with pytest.raises(DeliveryError):
        carried(found)
    assert not found.session.is_open


@pytest.mark.parametrize(
    ("message", "fields", "reason"),
    [
        (b"bare\nline\r\n", {}, "5.6.0"),
        (b"x" * 997 + b"\r\n\r\n", {}, "5.3.4"),
    ],
)
def test_what_cannot_be_sent_unchanged_is_not_sent(message: bytes, fields: dict[str, object], reason: str) -> None:
    found = Script(HELLO)
    assert set(carried(found, request(message, **fields)).values()) == {"failed"}
    assert found.heard() == b"EHLO host.example\r\n"


OK = b"250 ok\r\n"
GO = b"354 go\r\n"


@pytest.mark.parametrize("way", ["in one packet", "in another"])
@pytest.mark.parametrize("at", range(6))
def test_what_comes_before_it_was_asked_for_is_no_answer(at: int, way: str) -> None:
    """After each of: greeting, EHLO, MAIL, the RCPTs, DATA. The mail is not taken to be delivered, nor ended."""
    part: list[bytes | Packets] = [GREETING, ABILITIES, OK, OK, OK, GO, OK, OK]
    said = part[at]
    assert isinstance(said, bytes)
    part[at] = said + OK if way == "in one packet" else (said, OK)
    found, witness = Script(part, stays=True), Witness()
    with pytest.raises(DeliveryError, match="without being asked: '250 ok'"):
        carried(found, replace(request(), entry=witness))
    assert not found.session.is_open and "marked" not in witness.calls
    assert not found.heard().endswith(b"\r\n.\r\n")


def test_more_replies_than_commands_in_a_group() -> None:
    hello = ABILITIES.replace(b"HELP", b"PIPELINING")
    found = Script([GREETING, hello, OK, OK, OK + OK, GO, OK], stays=True)
    with pytest.raises(DeliveryError, match="without being asked"):
        carried(found)
    assert not found.session.is_open and b"DATA" not in found.heard()


def test_a_reply_in_the_middle_of_the_message() -> None:
    """A server that has seen enough says so, and the rest is not sent. It has not taken the mail."""
    given = replace(request(), read=lambda: [b"x\r\n", b"y\r\n"])
    found = Script([GREETING, ABILITIES, OK, OK, OK, b"354 go\r\n", OK], stays=True)
    found.interrupt(b"x\r\n", b"552 5.3.4 too big\r\n")
    with pytest.raises(DeliveryError, match=r"without being asked: '552 5\.3\.4 too big'"):
        carried(found, given)
    assert found.heard().endswith(b"DATA\r\nx\r\n")


def test_more_than_the_last_answer_ends_the_connection_and_leaves_the_answer() -> None:
    found = Script([GREETING, ABILITIES, OK, OK, OK, GO, OK + b"550 no\r\n"], stays=True)
    assert carried(found) == {"b@x.org": "delivered", "c@x.org": "delivered"}
    assert not found.session.is_idle


def test_a_password_is_not_said_to_who_answers_before_it() -> None:
    hello = ABILITIES.replace(b"HELP", b"AUTH PLAIN")
    found = Script([GREETING, hello + b"235 welcome\r\n", OK], Route("127.0.0.1", user="ann", password="secret"))
    with pytest.raises(DeliveryError, match="without being asked"):
        found.session.begin()
    assert b"AUTH" not in found.heard()


def test_an_old_server() -> None:
    found = Script(b"220 old\r\n502 what\r\n250 hello\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    assert carried(found) == {"b@x.org": "delivered", "c@x.org": "delivered"}
    assert b"HELO host.example\r\nMAIL FROM:<a@x.org>\r\n" in found.heard()
    for given in (request(b"\xe9\r\n"), request(is_utf8=True)):
        found = Script(b"220 old\r\n502 what\r\n250 hello\r\n")
        assert set(carried(found, given).values()) == {"failed"}


def test_eight_bits_and_international_addresses_are_announced() -> None:
    found = Script(HELLO + b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    carried(found, request(b"\xe9\r\n", is_utf8=True, recipients=("ü@x.org",)))
    assert "MAIL FROM:<a@x.org> SIZE=3 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<ü@x.org>\r\n".encode() in found.heard()


@pytest.mark.parametrize(
    "says",
    [
        b"554 go away\r\n",
        b"421 later\r\n",
        b"",
        b"220 sink\r\n550 no\r\n550 no\r\n",
        HELLO,
        HELLO.replace(b"HELP", b"STARTTLS") + b"454 no TLS today\r\n",
        [GREETING, HELLO_TLS, b"220 go\r\n250 injected\r\n"],
        [GREETING, HELLO_TLS, b"220 go\r\n250"],
        [GREETING, HELLO_TLS, (b"220 go\r\n", b"250 injected\r\n")],
        [GREETING, HELLO_TLS + b"220 go\r\n", b"220 go\r\n"],
    ],
)
def test_no_session_without_the_tls_that_is_required(says: bytes | Sequence[bytes | Packets]) -> None:
    found = Script(says, Route("127.0.0.1", user="ann", password="secret", starttls=Starttls.REQUIRED))
    with pytest.raises(DeliveryError):
        found.session.begin()
    heard = found.heard()
    assert b"AUTH" not in heard and b"MAIL" not in heard


def test_a_way_to_log_in_that_is_offered_and_not_there() -> None:
    route = Route("127.0.0.1", user="ann", password="secret")
    hello = HELLO.replace(b"HELP", b"AUTH PLAIN CRAM-MD5")
    found = Script(hello + b"504 unknown mechanism\r\n235 welcome\r\n", route)
    found.session.begin()
    assert found.heard().endswith(b"AUTH CRAM-MD5\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n")
    found = Script(hello + b"535 wrong\r\n", route)
    with pytest.raises(DeliveryError, match="by CRAM-MD5: 535 wrong"):
        found.session.begin()


def test_a_kept_connection_that_the_server_has_closed() -> None:
    kept = Script(PIPELINING + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    carried(kept)
    fresh = Script(HELLO + b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n")
    fresh.session.begin()
    attempt = Attempt(Terms("host.example"), open=lambda route, terms: fresh.session)
    result = attempt.run(request(), ("b@x.org", "c@x.org"), ROUTE, kept.session)
    assert {answer.status for answer in result.answers.values()} == {Status.DELIVERED}
    assert result.session is fresh.session


def test_a_server_that_says_later_gets_a_new_connection() -> None:
    found = Script(HELLO + b"451 later\r\n250 rset\r\n221 bye\r\n")
    found.session.begin()
    attempt = Attempt(Terms("host.example"), open=lambda route, terms: found.session)
    result = attempt.run(request(), ("b@x.org",), ROUTE, None)
    assert result.session is None and result.is_reachable
    assert found.heard().endswith(b"RSET\r\nQUIT\r\n")


SECURE = Route("127.0.0.1", user="ann", password="secret", starttls=Starttls.REQUIRED)
LOGIN = replace(SECURE, starttls=Starttls.NEVER)


@pytest.mark.parametrize(
    ("route", "says", "is_ours"),
    [
        (LOGIN, HELLO.replace(b"HELP", b"AUTH PLAIN") + b"535 wrong\r\n", True),
        (LOGIN, HELLO, True),
        (LOGIN, HELLO.replace(b"HELP", b"AUTH PLAIN") + b"354 go\r\n", True),
        (LOGIN, HELLO.replace(b"HELP", b"AUTH PLAIN") + b"454 later\r\n", True),
        (SECURE, HELLO, True),
        (SECURE, HELLO.replace(b"HELP", b"STARTTLS") + b"554 no\r\n", True),
        (SECURE, HELLO.replace(b"HELP", b"STARTTLS") + b"454 later\r\n", True),
        (ROUTE, HELLO + b"530 5.7.0 log in first\r\n", True),
        (ROUTE, HELLO + b"250 ok\r\n530 TLS first\r\n250 ok\r\n", True),
        (ROUTE, b"554 go away\r\n", True),
        (ROUTE, b"", True),
        (ROUTE, HELLO, False),
        (ROUTE, HELLO + b"451 later\r\n250 rset\r\n", False),
    ],
)
def test_a_server_that_does_not_let_us_in_as_the_conf_says(route: Route, says: bytes, is_ours: bool) -> None:
    """That does not count as one of the retries, unless the mail names that server itself."""

    def opened(route: Route, terms: Terms) -> Session:
        found = Script(says, route)
        found.session.begin()
        return found.session

    attempt = Attempt(Terms("host.example"), open=opened)
    for own_route in (None, route):
        answers = attempt.run(request(route=own_route), ("b@x.org", "c@x.org"), route, None).answers
        assert {answer.status for answer in answers.values()} == {Status.WAITING}
        assert {answer.counts for answer in answers.values()} == {not is_ours or own_route is not None}


def test_a_server_that_cannot_be_reached() -> None:
    def refuse(route: Route, terms: Terms) -> Session:
        raise DeliveryError("cannot connect")

    result = Attempt(Terms("host.example"), open=refuse).run(request(), ("b@x.org",), ROUTE, None)
    assert not result.is_reachable and result.answers["b@x.org"].status is Status.WAITING
