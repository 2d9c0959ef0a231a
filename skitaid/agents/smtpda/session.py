"""One connection to a mail server: greeting, TLS, login, and commands with their replies. Blocking; a courier's own.

Nothing is said in the clear when TLS is required and does not come about, and no password before it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skitaid.agents.smtpda import tls
from skitaid.agents.smtpda.auth import NOT_THIS_WAY, Login, choose
from skitaid.agents.smtpda.envelope import Route, Starttls
from skitaid.agents.smtpda.errors import AccessError, DeliveryError, SilenceError
from skitaid.agents.smtpda.replies import TEXT_MAX, Abilities, Reply, ReplyReader

__all__ = ["FINAL_TIMEOUT_S", "Session", "Terms", "open_session"]

FINAL_TIMEOUT_S = 600.0
"""For the answer to the last dot (RFC 5321, section 4.5.3.2.6): to leave earlier is to send the mail twice."""
FAREWELL_S = 2.0
RECEIVE_BYTES = 16384
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux


@dataclass(frozen=True, slots=True)
class Terms:
    """How sessions are held, whatever the server. `hello`: the name we say EHLO with. `cafile`: authorities beside the
    system's. `timeout_s`: for each step."""

    hello: str
    timeout_s: float = 60.0
    cafile: Path | None = None


class Session:
    """A connection to a mail server, made by `open_session`. Every method raises DeliveryError when the connection is
    of no use any more."""

    def __init__(self, route: Route, terms: Terms, channel: socket.socket) -> None:
        self.route = route
        self.abilities = Abilities()
        self.mails = 0
        """How many it has carried."""
        self._terms = terms
        self._channel = channel
        self._reader = ReplyReader()
        self._is_private = False
        self._nothing: tuple[type[OSError], ...] = (BlockingIOError,)
        """What a channel without patience raises when nothing has come."""

    # ------------------------------------------------------------ the beginning

    def begin(self) -> None:
        """The greeting, EHLO, TLS and the login, as the route has them. Raises DeliveryError."""
        if self.route.ssl:
            self._wrap(is_verified=True)
        self._must(self.reply(), "its greeting is")
        self._greet()
        if not self.route.ssl and self.route.security is not Starttls.NEVER:
            self._start_tls()
        if self.route.user:
            self._log_in(self.route.user, self.route.password or "")

    def _greet(self) -> None:
        reply = self.command(f"EHLO {self._terms.hello}")
        if reply.is_permanent:
            reply = self.command(f"HELO {self._terms.hello}")
            self.abilities = Abilities()
        else:
            self.abilities = Abilities.of(reply.lines[1:])
        self._must(reply, "to our greeting it says")

    def _start_tls(self) -> None:
        is_required = self.route.security is Starttls.REQUIRED
        if "STARTTLS" not in self.abilities:
            if is_required:
                raise AccessError(
                    f"{self.route} offers no STARTTLS, and TLS is required: nothing was sent; to send "
                    "without it, say starttls = no"
                )
            return
        reply = self.command("STARTTLS")
        if reply.code != 220:
            if is_required:
                kind = AccessError if reply.is_permanent else DeliveryError
                raise kind(f"{self.route} refuses STARTTLS: {reply}")
            return
        self._must_be_silent()  # what came in the clear would count as said within TLS
        self._wrap(is_verified=is_required)
        self._greet()

    def _wrap(self, *, is_verified: bool) -> None:
        import ssl  # few need it, and it costs memory

        try:
            self._channel.settimeout(self._terms.timeout_s)
            made = tls.context(self._terms.cafile, is_verified=is_verified)
            self._channel = made.wrap_socket(self._channel, server_hostname=_name(self.route))
        except (ssl.SSLError, OSError, ValueError) as error:
            self.close()
            is_distrust = isinstance(error, ssl.SSLCertVerificationError | FileNotFoundError | PermissionError)
            raise (AccessError if is_distrust else DeliveryError)(f"no TLS with {self.route}: {error}") from error
        self._is_private = is_verified
        self._nothing = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def _log_in(self, user: str, password: str) -> None:
        for mechanism in choose(self.abilities.mechanisms, is_private=self._is_private):
            login = Login(mechanism, user, password)
            reply = self.command(login.command)
            while reply.code == 334:
                reply = self.command(login.answer(reply.text))
            if reply.code not in NOT_THIS_WAY:
                break
        if not reply.is_ok:
            kind = AccessError if reply.is_permanent else DeliveryError
            raise kind(f"{self.route}: it does not let {user} in by {mechanism}: {login.hidden(str(reply))}")

    def _must(self, reply: Reply, what: str) -> None:
        if not reply.is_ok:
            raise DeliveryError(f"{self.route}: {what} {reply}")

    # ------------------------------------------------------------ commands

    def command(self, line: str) -> Reply:
        self.send((line.encode("utf-8") + b"\r\n",))
        return self.reply()

    def send(self, pieces: Iterable[bytes]) -> None:
        """Bytes as they are. Before each piece the server has to be silent."""
        for piece in pieces:
            self._must_be_silent()
            try:
                self._channel.settimeout(self._terms.timeout_s)
                self._channel.sendall(piece)
            except OSError as error:
                raise self._broken(error) from error

    def _must_be_silent(self) -> None:
        """What is said before it was asked for is no answer, and would be taken for the next one: a mail of which a
        server has not seen the end would count as delivered."""
        said = self._unasked()
        if said is None:
            return
        self.close()
        if not said:
            raise DeliveryError(f"{self.route} closed the connection")
        raise DeliveryError(f"{self.route} said without being asked: {said[:TEXT_MAX]!r}")

    def _unasked(self) -> str | None:
        """What the server has said and nobody waits for, None: nothing, "": it has closed. Waits for nothing."""
        if not self._reader.has_rest:
            try:
                self._channel.settimeout(0)
                self._reader.feed(self._channel.recv(RECEIVE_BYTES))
            except self._nothing:
                return None
            except OSError:
                return ""
        return self._reader.rest

    def reply(self, timeout_s: float | None = None) -> Reply:
        """The next one, waited for at most that long in all."""
        wait_s = timeout_s or self._terms.timeout_s
        deadline = time.monotonic() + wait_s
        while (reply := self._next()) is None:
            self._reader.feed(self._receive(deadline))
        if reply.code == 421:
            self.close()
            raise DeliveryError(f"{self.route}: {reply}")
        return reply

    def _next(self) -> Reply | None:
        try:
            return self._reader.next()
        except DeliveryError:
            self.close()  # whose answer is the next one?
            raise

    def _receive(self, deadline: float) -> bytes:
        try:
            self._acknowledge()
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._channel.recv(RECEIVE_BYTES)  # and nothing behind it that gives other threads a turn
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            self.close()
            raise DeliveryError(f"{self.route} closed the connection")
        return data

    def _acknowledge(self) -> None:
        """Each piece at once: a server that sends its replies to a group of commands one by one waits for that with
        the second (Nagle's algorithm), 40 ms a mail. The kernel forgets it, so it is said each time."""
        if _QUICKACK is not None and self._channel.family != socket.AF_UNIX:
            self._channel.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _broken(self, error: OSError) -> DeliveryError:
        self.close()
        kind = SilenceError if isinstance(error, TimeoutError) else DeliveryError
        return kind(f"{self.route}: {error or type(error).__name__}")

    # ------------------------------------------------------------ the end

    @property
    def is_open(self) -> bool:
        return self._channel.fileno() >= 0

    @property
    def is_idle(self) -> bool:
        """Open, and the server has not said anything in between: its good-bye would be lying there."""
        return self.is_open and self._unasked() is None

    def quit(self) -> None:
        """Say good-bye, if it is possible, and close."""
        with suppress(DeliveryError, OSError):
            if self.is_open:
                self._channel.settimeout(FAREWELL_S)
                self._channel.sendall(b"QUIT\r\n")
                self.reply(FAREWELL_S)
        self.close()

    def close(self) -> None:
        self._channel.close()


def open_session(route: Route, terms: Terms) -> Session:
    """Ready for MAIL. Raises DeliveryError."""
    try:
        channel = socket.create_connection((_name(route), route.port), terms.timeout_s)  # type: ignore[arg-type]
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"cannot connect to {route}: {error}") from error
    session = Session(route, terms, channel)
    try:
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session.begin()
    except BaseException:
        session.close()
        raise
    return session


def _name(route: Route) -> bytes:
    """The host in bytes: for text Python would import its tables of Unicode, and it is ASCII."""
    return route.host.encode("ascii")
