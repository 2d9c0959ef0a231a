"""A restart that refuses nobody: another master beside the one that serves, which takes its place when it is ready.

The new one gets the addresses from the old (`succession`), so both serve for a moment. If it does not come up, the old
one has never stopped. Whoever is not needed any more finishes what is in flight: the `leavers`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from signal import SIGQUIT

from skitaid.supervisor.journal import Journal
from skitaid.supervisor.leavers import KILL_AFTER_S, Leavers
from skitaid.supervisor.master import Master
from skitaid.supervisor.process import describe_exit
from skitaid.supervisor.renewal import Renewal, RenewalStatus
from skitaid.supervisor.report import Event, Report
from skitaid.supervisor.spawn import SpawnError
from skitaid.supervisor.succession import Word

__all__ = ["Restart"]

BEYOND_START_S = 5.0
"""A master that is too slow says so itself, with the reason, if it can."""
RELIEF_S = 3.0
"""How long a restart is not called done because the old master has not yet said that it takes nothing more."""
LEAVE_S = 310.0
"""A master whose place was taken has five minutes for what it has in flight (instance.master.DRAIN_S), and then some
for its end."""


class Restart:
    """A restart of the unit `name` by a second master. `outcome`: how the last one stands."""

    def __init__(self, name: str, journal: Journal) -> None:
        self.outcome = Renewal()
        self.leavers = Leavers(lambda pid: journal.warn(f"killing pid {pid} and what it started", name))
        self._name = name
        self._journal = journal
        self._start_timeout_s = 0.0
        self._successor: Master | None = None
        self._relieved: Master | None = None

    def begin(self, launch: Callable[[], Master], start_timeout_s: float) -> None:
        """`launch` starts the successor, and raises SpawnError or OSError."""
        self._start_timeout_s = start_timeout_s
        deadline = time.monotonic() + start_timeout_s + BEYOND_START_S
        self.outcome = Renewal(RenewalStatus.PENDING, deadline=deadline)
        try:
            self._successor = launch()
        except (SpawnError, OSError) as error:
            self._end(Renewal(RenewalStatus.FAILED, str(error)))
        else:
            self._journal.info(f"restarting: pid {self._successor.pid} is to take over", self._name)

    @property
    def has_successor(self) -> bool:
        return self._successor is not None

    def is_successor(self, master: Master | None) -> bool:
        return master is not None and master is self._successor

    def find(self, pid: int) -> Master | None:
        """The successor or a leaver with that pid."""
        if self._successor is not None and self._successor.pid == pid:
            return self._successor
        return self.leavers.find(pid)

    def adopt(self) -> Master | None:
        """The one that served has died: the successor, if there is one, is the unit's master before it is ready. It has
        the addresses, so nobody is refused. How long it may take is the unit's concern, as with every start."""
        successor, self._successor = self._successor, None
        if successor is not None:
            self.outcome = Renewal(RenewalStatus.PENDING, deadline=inf)
        return successor

    def take_over(self, old: Master | None) -> None:
        """The successor is ready, and the unit's master from now on."""
        now = time.monotonic()
        self._successor, self._relieved = None, old
        self.outcome = Renewal(RenewalStatus.PENDING, deadline=now + RELIEF_S)
        if old is not None:
            old.tell(Word.RELIEVED)
            self.leavers.add(old, now + LEAVE_S)

    def heard(self, master: Master, report: Report) -> None:
        """The old master takes nothing more: whoever asked for the restart meets the new one only."""
        if master is self._relieved and report.event is Event.STOPPING:
            self.done()

    def done(self) -> None:
        self._end(Renewal(RenewalStatus.DONE))

    def give_up(self, reason: str, serving: Master | None, grace_s: float) -> None:
        """If one is under way. `serving` goes on; the successor has `grace_s` for what it has in flight."""
        successor, self._successor = self._successor, None
        if successor is not None:
            self.leavers.add(successor, time.monotonic() + grace_s + KILL_AFTER_S)
            successor.signal(SIGQUIT)
            if serving is not None:
                serving.tell(Word.STAY)
        self._end(Renewal(RenewalStatus.FAILED, reason))

    def tick(self, now: float, serving: Master | None, grace_s: float) -> None:
        """Once a second: end a restart whose time is over, and kill leavers that do not leave. `serving` and `grace_s`
        as for `give_up`."""
        self.leavers.tick(now)
        if not self.outcome.is_late(now):
            return
        if self._successor is None:
            self.done()  # the new one serves, and the old does not say that it has stopped
        else:
            limit = f"not ready within {self._start_timeout_s:g} s (start_timeout)"
            self.give_up(f"the new master was {limit}; server.log may say why", serving, grace_s)

    def died(self, master: Master, code: int, serving: Master | None) -> None:
        """A successor or a leaver is gone."""
        if master is self._successor:
            why = f"the new master {describe_exit(code)}; stderr.log and server.log may say more"
            self.give_up(master.failure or why, serving, 0.0)
        elif master is self._relieved:
            self.done()
        self.leavers.remove(master)
        master.close()

    def _end(self, outcome: Renewal) -> None:
        if not self.outcome.is_pending:
            return
        self.outcome, self._relieved = outcome, None
        if outcome.status is RenewalStatus.DONE:
            self._journal.info("restarted", self._name)
        else:
            self._journal.error(f"restart failed: {outcome.reason}", self._name)
