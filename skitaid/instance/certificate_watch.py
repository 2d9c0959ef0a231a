"""Certificates that are renewed while their instance serves: noticed, and looked at before they are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from skitaid.instance.reloader import Reloader

__all__ = ["CertificateWatch"]


class CertificateWatch:
    """Notices new certificates. `files` are looked at once a second. `check` tells what is wrong with them, "" for
    nothing; `complain` is told of it, once."""

    def __init__(self, files: Iterable[Path], check: Callable[[], str], complain: Callable[[str], None]) -> None:
        names = [str(path) for path in files]
        self._watch = Reloader(lambda: names)
        self._check = check
        self._complain = complain
        self._is_due = False
        self._told = ""

    def is_renewed(self) -> bool:
        """Whether new certificates are there: True once for each renewal that can be served. A certificate and its key
        are two files, and each may be written in pieces: so they are looked at when nothing has changed for a look."""
        if self._watch.has_changed():
            self._is_due = True
            return False
        if not self._is_due:
            return False
        self._is_due = False
        wrong = self._check()
        if wrong and wrong != self._told:
            self._complain(wrong)
        self._told = wrong
        return not wrong
