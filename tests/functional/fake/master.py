"""A master for tests of the supervisor: it serves nothing and does what FAKE in its conf's [environment] says.

ready (the default) · never: not ready, ever · exit:N and ready-exit:N: end with code N, before or after being ready ·
stubborn: ready, and deaf to QUIT and TERM · reload-fails · mute: ready, and no answer to HUP · orphan: ready, with a
child that does not watch the lifeline · fails: says why it cannot start · drains: when another takes its place it says
that it takes nothing more, and stays.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from types import FrameType

from skitaid.supervisor import lifeline, report
from skitaid.supervisor.scoreboard import SCOREBOARD_FD, Scoreboard, WorkerState
from skitaid.supervisor.succession import CHANNEL_FD, OrderReader, Word, inherited

HOW = os.environ.get("FAKE", "ready")
REPORTER = report.inherited()
ASKED: list[int] = []


def on_signal(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP and HOW != "mute":
        REPORTER.reload_failed("no module named x") if HOW == "reload-fails" else REPORTER.reloaded()
    elif number == signal.SIGUSR1:
        print("rotated", flush=True)
    elif number in (signal.SIGQUIT, signal.SIGTERM) and HOW != "stubborn":
        ASKED.append(number)


def begin() -> None:
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    print(f"started with {' '.join(sys.argv[1:])}", flush=True)
    if HOW.startswith("exit:"):
        sys.exit(int(HOW[5:]))
    if HOW == "fails":
        REPORTER.failed("no address is left")
        sys.exit(1)
    if HOW == "orphan" and not os.fork():
        time.sleep(300)
    board = Scoreboard.attach(int(os.environ[SCOREBOARD_FD]))
    board.slot(0).update(pid=os.getpid(), state=WorkerState.READY, requests=7, rss_bytes=4096, started_s=time.time())
    if HOW != "never":
        REPORTER.ready(["127.0.0.1:5000"])
    if HOW.startswith("ready-exit:"):
        sys.exit(int(HOW[11:]))


begin()
parent, channel = lifeline.inherited(), inherited(CHANNEL_FD)
assert parent is not None
assert channel is not None
reader = OrderReader()
is_relieved = False
while not ASKED and not (is_relieved and HOW != "drains"):
    heard, _, _ = select.select([parent, channel], [], [], 0.05)
    if parent in heard:
        break
    if channel in heard:
        for order in reader.feed(channel.recv(4096)):
            print(order.word.value, flush=True)
            is_relieved = is_relieved or order.word is Word.RELIEVED
        if is_relieved:
            REPORTER.stopping()
REPORTER.stopping()
