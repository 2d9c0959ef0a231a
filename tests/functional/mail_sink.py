"""A mail server for tests that takes what it is given and fails as it is told: by connection, and by recipient."""

from __future__ import annotations

import base64
import hmac
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

OK = "ok"
FAULTS = (
    "greet421",
    "greetdrop",
    "ehlo421",
    "mail451",
    "rcpt450",
    "bodydrop",
    "data451",
    "dotdrop",
    "early",
    "rst",
    "bytewise",
)
"""What a connection may do instead of its duty. All are temporary, and none is told after the mail was taken. `early`:
it says that it has the mail before it has."""
ABILITIES = ("8BITMIME", "SMTPUTF8", "SIZE 10000000", "PIPELINING")
CHALLENGE = base64.b64encode(b"<1896.697170952@sink>").decode()


@dataclass(frozen=True)
class Taken:
    """A mail for which 250 was about to be said."""

    sender: str
    recipients: tuple[str, ...]
    body: bytes
    parameters: str
    is_tls: bool
    user: str
    connection: int
    at: float

    @property
    def mail_id(self) -> str:
        found = re.search(rb"(?im)^message-id: *<([^@>]+)", self.body)
        return found[1].decode() if found else ""


@dataclass
class Sink:
    """Listens from the start on. `plan`: connection number → what it does (`ok` or of FAULTS). `abilities`: what EHLO
    offers. `tls`: for STARTTLS, or for all when `is_tls_first`. `login`: user and password that are asked for.
    `pause_s`: before each answer; `dot_gate`: what the last answer waits for."""

    plan: Callable[[int], str] = lambda number: OK
    abilities: tuple[str, ...] = ABILITIES
    tls: ssl.SSLContext | None = None
    is_tls_first: bool = False
    login: tuple[str, str] | None = None
    pause_s: float = 0.0
    dot_gate: threading.Event | None = None
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._now = 0
        self._lock = threading.Lock()
        self.at_dot = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def recipients(self) -> list[str]:
        """Of all mails, sorted."""
        return sorted(each for mail in list(self.taken) for each in mail.recipients)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                channel, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                    number = self.connections
                threading.Thread(target=self._serve, args=(channel, number), daemon=True).start()

    def _serve(self, channel: socket.socket, number: int) -> None:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        client = _Client(self, channel, number)
        try:
            client.run()
        except (OSError, ValueError, EOFError):
            pass
        finally:
            with self._lock:
                self._now -= 1
            client.close()


class _Client:
    def __init__(self, sink: Sink, channel: socket.socket, number: int) -> None:
        self.sink, self.channel, self.number = sink, channel, number
        self.fault = sink.plan(number)
        self.is_tls = False
        self.user = ""
        self.sender: str | None = None
        self.parameters = ""
        self.recipients: list[str] = []
        channel.settimeout(60)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = channel.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.channel.close()

    def say(self, *lines: str) -> None:
        time.sleep(self.sink.pause_s)
        if self.fault == "bytewise":
            lines = (*(f"{lines[0][:3]}-on" for _ in range(2)), *lines)
        data = "".join(f"{line}\r\n" for line in lines).encode()
        for piece in [bytes([octet]) for octet in data] if self.fault == "bytewise" else [data]:
            self.channel.sendall(piece)

    def line(self) -> bytes:
        found = self.file.readline(1 << 20)
        if not found.endswith(b"\r\n"):
            raise EOFError
        return found

    def run(self) -> None:
        if self.fault == "rst":
            self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.fault in ("rst", "greetdrop"):
            return
        if self.sink.is_tls_first:
            self.begin_tls()
        self.say("421 too busy" if self.fault == "greet421" else "220 sink ESMTP")
        while self.fault != "greet421":
            words = self.line().decode().strip()
            self.sink.commands.append(words)
            verb = words[:4].upper()
            if verb == "QUIT":
                self.say("221 bye")
                return
            getattr(self, f"on_{verb.lower()}", self.unknown)(words)

    def unknown(self, words: str) -> None:
        self.say("500 what")

    def begin_tls(self) -> None:
        assert self.sink.tls is not None
        self.channel = self.sink.tls.wrap_socket(self.channel, server_side=True)
        self.file = self.channel.makefile("rb")
        self.is_tls = True

    def on_ehlo(self, words: str) -> None:
        if self.fault == "ehlo421":
            self.say("421 closing")
            raise EOFError
        offered = [
            *self.sink.abilities,
            *(["STARTTLS"] if self.sink.tls and not self.is_tls else []),
            *(["AUTH PLAIN LOGIN CRAM-MD5"] if self.sink.login else []),
        ]
        self.say(*[f"250-{each}" for each in ("sink", *offered)], "250 HELP")

    def on_helo(self, words: str) -> None:
        self.say("250 sink")

    def on_star(self, words: str) -> None:
        self.say("220 go")
        self.begin_tls()

    def on_auth(self, words: str) -> None:
        assert self.sink.login is not None
        user, password = self.sink.login
        _, mechanism, *first = words.split()
        if mechanism == "PLAIN":
            is_right = base64.b64decode(first[0]) == f"\0{user}\0{password}".encode()
        elif mechanism == "LOGIN":
            is_right = [self.ask("VXNlcm5hbWU6"), self.ask("UGFzc3dvcmQ6")] == [user, password]
        else:
            digest = hmac.new(password.encode(), base64.b64decode(CHALLENGE), "md5").hexdigest()
            is_right = self.ask(CHALLENGE) == f"{user} {digest}"
        self.user = user if is_right else ""
        self.say("235 welcome" if is_right else "535 5.7.8 bad credentials")

    def ask(self, challenge: str) -> str:
        self.say(f"334 {challenge}")
        return base64.b64decode(self.line()).decode()

    def on_mail(self, words: str) -> None:
        if self.sink.login and not self.user:
            self.say("530 authentication required")
        elif self.fault == "mail451":
            self.say("451 later")
        else:
            found = re.fullmatch(r"MAIL FROM:<([^>]*)>(.*)", words, re.IGNORECASE)
            assert found is not None, words
            self.sender, self.parameters, self.recipients = found[1], found[2].strip(), []
            self.say("250 ok")

    def on_rcpt(self, words: str) -> None:
        recipient = words.partition("<")[2].rstrip(">")
        if self.sender is None:
            self.say("503 MAIL first")
        elif self.fault == "rcpt450" or recipient.startswith("temp"):
            self.say("450 4.2.1 mailbox busy")
        elif recipient.startswith("fail"):
            self.say("550 5.1.1 no such user")
        else:
            self.recipients.append(recipient)
            self.say("250 ok")

    def on_data(self, words: str) -> None:
        self.say("354 go", *(["250 2.0.0 queued"] if self.fault == "early" else []))
        body = b""
        while (line := self.line()) != b".\r\n":
            body += line[1:] if line.startswith(b".") else line
            if self.fault == "bodydrop" and body.count(b"\n") > 2:
                raise EOFError
        if self.fault in ("dotdrop", "early"):
            raise EOFError
        if self.fault == "data451":
            self.say("451 later")
            return
        if self.sink.dot_gate is not None:
            self.sink.at_dot.set()
            self.sink.dot_gate.wait(60)
        assert self.sender is not None
        self.sink.taken.append(
            Taken(
                self.sender,
                tuple(self.recipients),
                body,
                self.parameters,
                self.is_tls,
                self.user,
                self.number,
                time.time(),
            )
        )
        self.sender = None
        self.say("250 2.0.0 queued")

    def on_rset(self, words: str) -> None:
        self.sender = None
        self.say("250 ok")
