"""The supervisor's loop: one thread, one selector, callbacks. A signal wakes it by a byte on a pipe."""

from __future__ import annotations

import os
import select
import selectors
import signal
from collections.abc import Callable, Iterable
from types import FrameType

__all__ = ["Loop", "SignalPipe"]

Callback = Callable[[int], None]
"""Called with the selectors.EVENT_… that came."""


class Loop:
    """Descriptors that are watched, and who is called for each."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, callback: Callback, *, read: bool = True, write: bool = False) -> None:
        """Call `callback` when `fd` can be read, or written. Again: replaces; neither: forgets."""
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if not events:
            self.forget(fd)
        elif fd in self._selector.get_map():
            self._selector.modify(fd, events, callback)
        else:
            self._selector.register(fd, events, callback)

    def forget(self, fd: int) -> None:
        """Before `fd` is closed. One that is not watched is no error."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def turn(self, timeout_s: float) -> None:
        """Wait for what comes, at most `timeout_s`, and serve it."""
        for key, events in self._selector.select(max(0.0, timeout_s)):
            if self._selector.get_map().get(key.fd) is key:  # an earlier callback may have closed it
                key.data(events)

    def close(self) -> None:
        self._selector.close()


class SignalPipe:
    """Signals as bytes on a pipe: the handlers do nothing, the number is written by the interpreter itself. From now
    on none is blocked: those that had to wait for a handler come (see `spawn`)."""

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._numbers = tuple(signals)
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in self._numbers:
            signal.signal(number, _do_nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    @property
    def fds(self) -> tuple[int, int]:
        """Both ends, which a forked child must close."""
        return self.fd, self._write_fd

    def is_there(self) -> bool:
        """Whether one came that was not read yet."""
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return bool(poller.poll(0))

    def abandon(self) -> None:
        """In a forked child: signals do what they do by default, and nobody hears of them."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        for fd in self.fds:
            os.close(fd)

    def read(self) -> list[signal.Signals]:
        """The signals that came, in order, each once however often it came."""
        try:
            numbers = os.read(self.fd, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in dict.fromkeys(numbers)]


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The byte on the pipe is all."""
