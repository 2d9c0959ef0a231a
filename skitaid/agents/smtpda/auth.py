"""How to say who we are (RFC 4954): PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195). Pure."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field

from skitaid.agents.smtpda.errors import AccessError, DeliveryError

__all__ = ["NOT_THIS_WAY", "Login", "choose"]


NOT_THIS_WAY = frozenset({500, 501, 502, 504, 534, 538})
"""A server that offers a mechanism and does not have it, or not here: another one may do. 535 is for the password."""
SECRET_MIN = 4
"""A shorter password is no secret, and stands in any text by chance."""


def choose(offered: frozenset[str], *, is_private: bool) -> tuple[str, ...]:
    """The mechanisms to try, in order. Over a connection that others can read, CRAM-MD5 comes first: it does not show
    the password. Raises AccessError when there is none."""
    order = ("PLAIN", "LOGIN", "CRAM-MD5") if is_private else ("CRAM-MD5", "PLAIN", "LOGIN")
    found = tuple(name for name in order if name in offered)
    if not found:
        there = ", ".join(sorted(offered)) or "no way to log in"
        raise AccessError(f"the server offers {there}; we know {', '.join(order)}")
    return found


@dataclass(slots=True)
class Login:
    """Our side of one exchange: `command` begins it, `answer` replies to each challenge (code 334)."""

    mechanism: str
    user: str
    password: str = field(repr=False)
    _asked: int = 0

    @property
    def command(self) -> str:
        if self.mechanism == "PLAIN":
            return "AUTH PLAIN " + _encoded(b"\0" + self.user.encode() + b"\0" + self.password.encode())
        return f"AUTH {self.mechanism}"

    def answer(self, challenge: str) -> str:
        """The line that answers a challenge of the server (the text of its 334). Raises DeliveryError when it asks more
        than the mechanism has to say, or makes no sense."""
        self._asked += 1
        if self.mechanism == "CRAM-MD5" and self._asked == 1:
            return _encoded(self.user.encode() + b" " + self._digest(challenge).encode())
        if self.mechanism == "LOGIN" and self._asked <= 2:
            return _encoded((self.user if self._asked == 1 else self.password).encode())
        raise DeliveryError(f"the server asks more than {self.mechanism} has to say")

    def hidden(self, text: str) -> str:
        """What a server says, fit for a log: some repeat the command that they refuse."""
        plain = _encoded(b"\0" + self.user.encode() + b"\0" + self.password.encode())
        for secret in (plain, _encoded(self.password.encode()), self.password):
            if len(secret) >= SECRET_MIN:
                text = text.replace(secret, "***")
        return text

    def _digest(self, challenge: str) -> str:
        import hmac  # few servers want it

        try:
            asked = a2b_base64(challenge)
        except ValueError as error:  # not ASCII, or not base64
            raise DeliveryError(f"the server's challenge is not base64: {challenge[:80]!r}") from error
        return hmac.new(self.password.encode(), asked, "md5").hexdigest()


def _encoded(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
