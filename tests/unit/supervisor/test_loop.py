from __future__ import annotations

import os
import selectors
import signal
import threading
import time

from skitaid.supervisor.loop import Loop, SignalPipe


def test_callbacks_get_what_came() -> None:
    loop, came = Loop(), []
    read_fd, write_fd = os.pipe()
    loop.watch(read_fd, came.append)
    loop.turn(0)
    assert came == []
    os.write(write_fd, b"x")
    loop.turn(10)
    assert came == [selectors.EVENT_READ]
    loop.forget(read_fd)
    loop.forget(read_fd)
    loop.turn(0)
    assert len(came) == 1
    for fd in (read_fd, write_fd):
        os.close(fd)
    loop.close()


def test_one_that_an_earlier_callback_closed_is_not_called() -> None:
    loop, called = Loop(), []
    pipes = [os.pipe(), os.pipe()]

    def serve(index: int) -> None:
        called.append(index)
        for read_fd, _ in pipes:
            loop.forget(read_fd)

    for index, (read_fd, write_fd) in enumerate(pipes):
        loop.watch(read_fd, lambda events, index=index: serve(index))
        os.write(write_fd, b"x")
    loop.turn(10)
    assert len(called) == 1
    for read_fd, write_fd in pipes:
        os.close(read_fd)
        os.close(write_fd)
    loop.close()


def test_signals_that_were_held_back_come() -> None:
    """As a master is started, see `spawn`: what came before its handlers stood."""
    before = signal.getsignal(signal.SIGURG)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
    signal.pthread_kill(threading.get_ident(), signal.SIGURG)  # of several threads another would take it
    try:
        pipe = SignalPipe([signal.SIGURG])
        assert pipe.read() == [signal.SIGURG]
        pipe.abandon()
    finally:
        signal.signal(signal.SIGURG, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})


def test_signals_come_as_bytes_and_wake_the_loop() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGHUP)}
    pipe, loop = SignalPipe(before), Loop()
    came: list[signal.Signals] = []
    try:
        loop.watch(pipe.fd, lambda events: came.extend(pipe.read()))
        assert pipe.read() == []
        assert not pipe.is_there()
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        assert pipe.is_there()
        began = time.monotonic()
        loop.turn(30)
        assert time.monotonic() - began < 30
        assert not pipe.is_there()
        assert came == [signal.SIGUSR1, signal.SIGHUP]
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
