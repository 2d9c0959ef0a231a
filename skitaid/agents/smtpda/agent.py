"""The mail agent: takes mails in, gives those that are due to couriers, hears what became of them.

Its loop never speaks with a mail server; the couriers' threads do.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from itertools import islice

from skitaid.agents.arguments import Arguments
from skitaid.agents.frame import LOOK_EVERY_S, Agent, Frame, Stop, run_agent
from skitaid.agents.smtpda import queue_commands, tls
from skitaid.agents.smtpda.attempt import Attempt
from skitaid.agents.smtpda.control import ControlSocket
from skitaid.agents.smtpda.couriers import Couriers
from skitaid.agents.smtpda.delivery import Delivery
from skitaid.agents.smtpda.delivery_journal import DeliveryJournal
from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.malloc import give_back, share_heap
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.ready_queue import Key
from skitaid.agents.smtpda.retry import BACK_OFF_MOST_S, JITTER
from skitaid.agents.smtpda.schedule import Schedule
from skitaid.agents.smtpda.settings import Settings
from skitaid.agents.smtpda.settlement import Recorder, Settled
from skitaid.agents.smtpda.wakeup import WakeupPipe, WakeupSocket
from skitaid.config.load import load_main
from skitaid.config.model import Main
from skitaid.exceptions import SkitaidError

__all__ = ["MailAgent", "run"]

LOCK_PATIENCE_S = 5.0
"""The agent before may still finish a mail."""
FAST_S = 3.0
"""So long a mail that is on its way may take when the agent has to go: one that is cut off would arrive twice."""
TIDY_EVERY_S = 3600.0
HAND_OVER_MOST = 100
"""In one turn, which reads each of them: signals, commands and what was settled are not to wait for a long queue."""
TRY_AGAIN_S = 60.0
"""A mail that the machine fails to read."""
SWITCH_INTERVAL_S = 0.0005


class MailAgent(Agent):
    """Takes mails in and gives them to the couriers when they are due. It never speaks with a server itself."""

    def __init__(self, frame: Frame, settings: Settings) -> None:
        self._frame = frame
        self._settings = settings
        self._queue = Queue(settings.spool)
        self._recorder = Recorder(self._queue, settings.policy, settings.terms.hello, frame.log.write)
        self._journal = DeliveryJournal()
        self._schedule = Schedule()
        self._settled: deque[Settled] = deque()
        self._wakeup_pipe = WakeupPipe()
        self._delivered = 0
        self._failed = 0
        self._is_busy = False
        self._tell_at = 0.0
        self._seen_ns = -1
        self._trouble = ""
        self._tidy_at = 0.0
        self._end_at: float | None = None
        self._wakeup_socket: WakeupSocket | None = None
        self._control: ControlSocket | None = None

    def begin(self) -> None:
        self._queue.prepare()
        self._queue.lock(LOCK_PATIENCE_S)
        self._journal.open(self._queue.folder)
        if not self._journal.is_kept:
            self._frame.log.write(
                "warn",
                f"{self._journal.path} cannot be used: it is another user's, or there is "
                "no room; a mail may arrive twice if this agent is killed",
            )
        self._couriers = Couriers(self._settings.limits, self._delivery().serve)
        self._recover()
        self._queue.tidy()
        self._wakeup_socket = WakeupSocket(self._queue.folder)
        self._control = ControlSocket(self._queue.folder, self._commanded)
        self._frame.watch(self._wakeup_socket.fd, lambda events: self._woken())
        self._frame.watch(self._wakeup_pipe.fd, lambda events: self._wakeup_pipe.drain())
        self._frame.watch(self._control.fd, lambda events: self._serve_control())
        for mail_id in self._queue.ids():
            self._enlist(mail_id)
        self._failed = len(self._queue.failed_ids())

    def _recover(self) -> None:
        """Write down what the agent before had heard when it was killed."""
        for mail_id, indexes in self._journal.taken():
            self._recorder.recover(mail_id, indexes)
        self._journal.clear()

    def _delivery(self) -> Delivery:
        """What couriers do by the settings. Raises SigningError."""
        self._attempt, signer = Attempt(self._settings.terms), self._settings.signer()
        return Delivery(self._queue, self._journal, self._recorder, self._attempt, signer, self._frame.log, self._hear)

    # ------------------------------------------------------------ what is due

    def turn(self) -> float:
        self._hear_out()
        if self._end_at is not None:
            self.is_over = self._couriers.is_over or time.monotonic() >= self._end_at
            return 0.02
        self._look_into_incoming()
        now = _clock()
        for mail_id in islice(self._schedule.take_due(now), HAND_OVER_MOST):
            self._hand_over(mail_id)
        self._tidy()
        self._save()
        self._tell()
        next_s = self._schedule.next_s()
        return LOOK_EVERY_S if next_s is None else max(0.0, min(LOOK_EVERY_S, next_s - now))

    def _woken(self) -> None:
        if self._wakeup_socket is not None:
            self._wakeup_socket.drain()
        self._seen_ns = -1

    def _look_into_incoming(self) -> None:
        """When something was put there. What cannot be done is said once, and tried again at each turn."""
        try:
            self._take_in()
        except FileNotFoundError:
            self._queue.prepare()
            self._frame.log.write("warn", f"a folder of {self._queue.folder} was removed, and is made anew")
        except OSError as error:
            if self._trouble != str(error):
                self._frame.log.write("error", f"mails stay in {self._queue.incoming}: {error}")
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _take_in(self) -> None:
        """The folder has changed, or somebody said so. Raises OSError."""
        changed_ns = os.stat(self._queue.incoming).st_mtime_ns
        if changed_ns == self._seen_ns:
            return
        self._seen_ns = -1
        for mail_id in self._queue.take_in():
            self._schedule.add(mail_id, 0.0)
        # What came while we looked may have the same time, as the kernel counts it in steps: look once more.
        is_old = time.time_ns() - changed_ns > 1_000_000_000
        self._seen_ns = changed_ns if is_old and os.stat(self._queue.incoming).st_mtime_ns == changed_ns else -1

    def _hand_over(self, mail_id: str) -> None:
        try:
            envelope = self._queue.read(mail_id).envelope
        except (MalformedMailError, PermissionError) as error:
            self._set_aside(mail_id, error)
        except FileNotFoundError:
            self._frame.log.write("warn", "it was removed from the spool", mail_id)
        except OSError as error:
            self._frame.log.write("error", f"it is looked at again in a minute: {error}", mail_id)
            self._wait(mail_id, time.time() + TRY_AGAIN_S)
        else:
            if not self._is_busy:
                share_heap()
            self._couriers.add(Key(envelope.route or self._settings.route, envelope.sender), mail_id)

    def _set_aside(self, mail_id: str, error: Exception) -> None:
        """Move a file away that is not a mail, or that an agent which is not root may not read."""
        self._frame.log.write("error", f"set aside in {self._queue.failed}: {error}", mail_id)
        try:
            self._queue.fail(mail_id)
        except OSError as trouble:
            self._frame.log.write("error", f"it stays in {self._queue.queue} until the next start: {trouble}", mail_id)
        else:
            self._failed += 1

    def _enlist(self, mail_id: str) -> None:
        """A mail that is in the queue: when it is due, or that it is held."""
        record = self._recorder.record(mail_id)
        if record.is_held:
            self._schedule.hold(mail_id)
        else:
            # No wait is longer than that: the clock was put back in the meantime.
            latest_s = time.time() + BACK_OFF_MOST_S * (1 + JITTER)
            # What a login or TLS was in the way of: that may be mended by now.
            is_due = record.unbounced() or record.uncounted
            self._wait(mail_id, 0.0 if is_due else min(record.due_s, latest_s))

    def _wait(self, mail_id: str, due_s: float) -> None:
        """Until then, in seconds since the epoch; from here on no clock that is set moves it."""
        self._schedule.add(mail_id, _clock() + max(0.0, due_s - time.time()))

    # ------------------------------------------------------------ what became of it

    def _hear(self, settled: Settled) -> None:
        """In a courier's thread."""
        self._settled.append(settled)
        self._wakeup_pipe.wake()

    def _hear_out(self) -> None:
        is_removed = False
        while self._settled:
            settled = self._settled.popleft()
            is_removed = is_removed or settled.due_s is None
            if settled.bounce:
                self._schedule.add(settled.bounce, 0.0)
            if settled.due_s is not None:
                self._wait(settled.mail_id, settled.due_s)
            elif settled.has_failed:
                self._failed += 1
            else:
                self._delivered += 1
        if is_removed:
            self._sync()

    def _sync(self) -> None:
        """One sync for all that was settled in the meantime: of several at once, each would wait for the others."""
        try:
            self._queue.sync()
        except OSError as error:
            self._frame.log.write("error", f"what was delivered is removed, but not for good: {error}")

    def _tidy(self) -> None:
        if _clock() < self._tidy_at:
            return
        self._tidy_at = _clock() + TIDY_EVERY_S
        gone = self._queue.expire(self._settings.keep_s, time.time())
        self._failed -= len(gone)
        for mail_id in gone:
            self._frame.log.write("info", "removed: it could not be delivered, and was kept long enough", mail_id)

    def _save(self) -> None:
        was_busy, self._is_busy = self._is_busy, not self._couriers.is_over
        if was_busy and not self._is_busy:
            tls.forget()
            give_back()

    def _tell(self) -> None:
        if time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + LOOK_EVERY_S
        deferred = len(self._schedule)
        counts = {
            "queued": self._couriers.in_hand + deferred,
            "deferred": deferred,
            "held": self._schedule.held,
            "failed": self._failed,
            "delivered": self._delivered,
        }
        self._frame.tell(
            "{queued} queued ({deferred} deferred), {held} held, {failed} failed; {delivered} delivered".format(
                **counts
            ),
            **counts,
        )

    # ------------------------------------------------------------ commands

    def _serve_control(self) -> None:
        if self._control is not None:
            self._control.serve()

    def _commanded(self, command: str, mail_id: str) -> tuple[bool, str]:
        if command not in queue_commands.COMMANDS:
            return False, f"unknown command {command!r}; expected one of: {', '.join(queue_commands.COMMANDS)}"
        self._hear_out()
        is_in_line = self._couriers.drop(mail_id)
        if not is_in_line and self._couriers.is_active(mail_id):
            return False, f"{mail_id} is being delivered at this moment"
        try:
            text = queue_commands.perform(self._queue, command, mail_id)
        except (SkitaidError, OSError) as error:
            if is_in_line:
                self._schedule.add(mail_id, 0.0)
            return False, str(error)
        self._follow(command, mail_id)
        return True, text

    def _follow(self, command: str, mail_id: str) -> None:
        self._schedule.drop(mail_id)
        if command == "retry":
            self._attempt.refusals.forget()
        if command != "remove":
            self._enlist(mail_id)
        self._failed = len(self._queue.failed_ids())
        self._frame.log.write("info", f"{command}, by hand", mail_id)

    def reload(self) -> None:
        """Mails that are on their way finish by the old settings."""
        main = load_main(self._frame.arguments.etc)
        settings = Settings.of(main, self._frame.arguments)
        settings.signer()
        _warn(self._frame, main)
        self._settings = settings
        self._recorder.policy, self._recorder.host = settings.policy, settings.terms.hello
        for mail_id in self._couriers.change(settings.limits, self._delivery().serve):
            self._schedule.add(mail_id, 0.0)
        for mail_id in self._schedule.ids():
            self._enlist(mail_id)

    # ------------------------------------------------------------ the end

    def stop(self, how: Stop) -> None:
        self._couriers.stop()
        now = time.monotonic()
        end_at = float("inf") if how in (Stop.GRACEFUL, Stop.REPLACED) else now + FAST_S
        self._end_at = end_at if self._end_at is None else min(end_at, self._end_at)

    def close(self) -> None:
        self._hear_out()
        for each in (self._wakeup_socket, self._control):
            if each is not None:
                each.close()
        self._journal.close()
        self._queue.unlock()


def run(arguments: Arguments) -> int:
    """Run until told to stop; the exit code."""
    # A courier that has the server's 250 is to write it down, whatever the others compute.
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    def make(frame: Frame, main: Main) -> Agent:
        _warn(frame, main)
        return MailAgent(frame, Settings.of(main, arguments))

    return run_agent(arguments, make)


def _clock() -> float:
    """Seconds, also of those in which the machine slept. Nobody sets it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))  # the former is Linux's


def _warn(frame: Frame, main: Main) -> None:
    """Warnings of the conf that concern mail go to the log of mail too: people look there for a reason."""
    for problem in main.warnings:
        if problem.text.startswith("[smtpda]"):
            frame.log.write("warn", str(problem))
