"""One attempt at one mail: a session, new or kept, and a transaction on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.errors import AccessError, DeliveryError, SilenceError
from skitaid.agents.smtpda.refusals import Refusals
from skitaid.agents.smtpda.retry import Answer, Status
from skitaid.agents.smtpda.session import Session, Terms, open_session
from skitaid.agents.smtpda.transaction import DeliveryRequest, Transaction

__all__ = ["Attempt", "Result"]

MAILS_MAX = 100
"""Over one connection: servers have their limits."""


@dataclass(frozen=True, slots=True)
class Result:
    """An answer for each recipient; a session that can be used again; whether the server was reached."""

    answers: dict[str, Answer]
    session: Session | None
    is_reachable: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a mail to some of its recipients, over a session that there is or a new one. `open` makes
    a session."""

    terms: Terms
    open: Callable[[Route, Terms], Session] = open_session
    refusals: Refusals = field(default_factory=Refusals)

    def run(self, request: DeliveryRequest, recipients: Sequence[str], route: Route, kept: Session | None) -> Result:
        """Deliver `request` to `recipients` through `route`, over the session `kept` if that can still be used. Never
        raises: what went wrong is in the answers."""
        if kept is not None and kept.is_idle and kept.mails < MAILS_MAX:
            result, is_sure = self._over(kept, request, recipients)
            if is_sure:
                return result
            recipients = [each for each in recipients if result.answers[each].status is Status.WAITING]
        elif kept is not None:
            kept.quit()
        return self._over_new(request, recipients, route)

    def _over_new(self, request: DeliveryRequest, recipients: Sequence[str], route: Route) -> Result:
        try:
            self.refusals.check(route)
            session = self._opened(route)
        except DeliveryError as error:
            return Result(dict.fromkeys(recipients, _waiting(request, error, is_about_us=True)), None, False)
        return self._over(session, request, recipients)[0]

    def _opened(self, route: Route) -> Session:
        asked_at = self.refusals.now
        try:
            return self.open(route, self.terms)
        except DeliveryError as error:
            self.refusals.note(route, error, asked_at)
            raise

    def _over(self, session: Session, request: DeliveryRequest, recipients: Sequence[str]) -> tuple[Result, bool]:
        """And whether that is the last word: a kept connection that broke before any of the mail was on it says nothing
        about the mail, the server may have closed it for its age."""
        transaction = Transaction(session, request)
        try:
            transaction.run(recipients)
        except DeliveryError as error:
            session.close()
            is_about_us = isinstance(error, AccessError)
            if is_about_us:
                self.refusals.note(session.route, error, self.refusals.now)
            answers = dict.fromkeys(recipients, _waiting(request, error, is_about_us=is_about_us))
            answers |= transaction.answers
            is_sure = transaction.has_begun or bool(transaction.answers)
            return Result(answers, None, not isinstance(error, SilenceError)), is_sure
        return Result(transaction.answers, _kept(session, transaction.answers), True), True


def _waiting(request: DeliveryRequest, error: DeliveryError, *, is_about_us: bool) -> Answer:
    """A server of the conf that is down, or does not like the password of the conf, must not bring back everybody's
    mail: the bounces would have to go there too. One that came with a mail is the affair of that mail alone."""
    return Answer(Status.WAITING, str(error), counts=not is_about_us or request.envelope.route is not None)


def _kept(session: Session, answers: dict[str, Answer]) -> Session | None:
    """A server that says "later" may say it on this connection for ever: the next mail gets another one."""
    if any(answer.status is Status.WAITING for answer in answers.values()):
        session.quit()
    return session if session.is_open else None
