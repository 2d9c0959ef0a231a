"""Whether a master is to reload: because somebody asked for it, an app that could not be loaded was corrected, or a
certificate was renewed.
"""

from __future__ import annotations

from collections.abc import Callable

from skitaid.config.certificates import certificate_problems
from skitaid.instance.arguments import Conf
from skitaid.instance.certificate_watch import CertificateWatch
from skitaid.instance.reloader import Reloader

__all__ = ["ReloadWatch"]


class ReloadWatch:
    """Collects the reasons for a reload. `is_due`: set by whoever wants one, and taken back by whoever begins with it.
    `say(kind, text)` writes to the log."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self.is_due = False
        self._say = say
        self._correction: Reloader | None = None
        self._certificates: CertificateWatch | None = None

    def follow(self, conf: Conf) -> None:
        """Of the newest workers: what they have is to be watched, and nothing of those before."""
        self._correction = self._certificates = None
        if conf.security is not None:
            from skitaid.instance.tls import certificate_files

            self._certificates = CertificateWatch(
                certificate_files(conf.instance),
                lambda: "; ".join(str(each) for each in certificate_problems(conf.instance) if not each.is_warning),
                lambda wrong: self._say("error", f"a certificate changed, the one before goes on: {wrong}"),
            )

    def await_correction(self, files: tuple[str, ...]) -> None:
        """A worker whose app can't be loaded may be about to go: look after the app's files in its place."""
        if files:
            self._correction = Reloader(lambda: files)

    def tick(self) -> None:
        """Once a second: look at the files that are watched, and set `is_due` when one has changed."""
        if self._correction is not None and self._correction.has_changed():
            self.is_due = True
        if self._certificates is not None and self._certificates.is_renewed():
            self._say("info", "a certificate changed")
            self.is_due = True
