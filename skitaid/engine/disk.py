"""Disk work beside the loop: what is not in the page cache is brought there by a thread, what is written is written by
one.

Most of what is served is in memory, so no thread is started before something is not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, NamedTuple

from skitaid.engine.file_segment import BURST_BYTES, FileSegment, OpenFile
from skitaid.engine.portal import Portal

__all__ = ["MAX_THREADS", "DiskThreads"]

MAX_THREADS: Final = 4
_BLOCK_BYTES: Final = 262144


class _Order(NamedTuple):
    work: Callable[[], None]
    on_done: Callable[[], None]


class DiskThreads:
    """At most MAX_THREADS threads, each started when all before it are busy."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._unfinished = 0

    def bring(self, segment: FileSegment, on_done: Callable[[], None]) -> None:
        """Have the next bytes of `segment` read into the page cache; then `on_done` is called on the loop thread, also
        when they could not be read: sending them will tell. From any thread."""
        segment.file.acquire()
        self.do(partial(_bring, segment.file, segment.offset, min(len(segment), BURST_BYTES)), on_done)

    def do(self, work: Callable[[], None], on_done: Callable[[], None]) -> None:
        """Have `work`, which raises nothing, done in one of the threads; then `on_done` is called on the loop thread.
        From any thread. Bounded by those who ask: each connection has one order at a time."""
        self._orders.put(_Order(work, on_done))
        with self._lock:
            self._unfinished += 1
            if self._unfinished > len(self._threads) < MAX_THREADS:
                self._start_thread()

    def close(self) -> None:
        """Take no more orders. Threads inside a read end with it, or with the process."""
        for _ in self._threads:
            self._orders.put(None)

    def _start_thread(self) -> None:
        name = f"disk thread #{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        """A thread's root; nothing in it raises."""
        while (order := self._orders.get()) is not None:
            order.work()
            with self._lock:
                self._unfinished -= 1
            self._portal.call(order.on_done)


def _bring(file: OpenFile, offset: int, length: int) -> None:
    try:
        _read(file.fd, offset, offset + length)
    finally:
        file.release()


def _read(fd: int, offset: int, end: int) -> None:
    try:
        while offset < end:
            data = os.pread(fd, min(_BLOCK_BYTES, end - offset), offset)
            if not data:
                return
            offset += len(data)
    except OSError:
        # Whoever sends the bytes meets the same error, and knows what to do about it.
        return
