"""What can go wrong with a mail: one exception for each party that has to act."""

from __future__ import annotations

from skitaid.exceptions import SkitaidError

__all__ = ["AccessError", "DeliveryError", "MailError", "MalformedMailError", "SilenceError", "SpoolError"]


class MailError(SkitaidError, ValueError):
    """The app that composes the mail must act: an address, a header, an attachment that cannot be sent."""


class SpoolError(SkitaidError, OSError):
    """The mail was not queued: no room, no spool, no right. The machine's administrator must act."""


class MalformedMailError(SkitaidError):
    """A file of the spool is not a mail: it was not written by `Spool.put`."""


class DeliveryError(SkitaidError):
    """An attempt failed before the server could judge the mail. Always temporary: what the server says about itself
    (its greeting, its TLS, our password) says nothing about the recipient."""


class SilenceError(DeliveryError):
    """The server takes longer than it may."""


class AccessError(DeliveryError):
    """The server does not let us in as the conf has it: login, TLS. Whoever wrote the conf must act."""
