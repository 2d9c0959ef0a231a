"""Parts of files on their way to a socket, from the page cache and without passing through this process.

Where the kernel has no sendfile, or has none for this file, the bytes are read and sent.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import Final

from skitaid.engine.secure import SecureSocket

__all__ = ["BURST_BYTES", "FileSegment", "FileShrunkError", "OpenFile"]

BURST_BYTES: Final = 1 << 20
"""What one connection may send at a time, however fast its client is: the others come next."""
_READ_BYTES: Final = 131072
# What files and sockets that sendfile does not know answer; EOVERFLOW is for offsets of 32 bits.
_NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK, errno.EOVERFLOW})
_HAS_SENDFILE: Final = hasattr(os, "sendfile")
_NO_WAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)


class FileShrunkError(OSError):
    """A file became shorter than the response to which it belongs promises."""


class OpenFile:
    """A descriptor that several segments share; closed when the last user is done with it. Whoever makes one is its
    first user. From any thread."""

    __slots__ = ("_lock", "_users", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._users = 1
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """One user more."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """One user less. The descriptor may be another file's afterwards."""
        with self._lock:
            self._users -= 1
            if not self._users:
                os.close(self.fd)

    @property
    def is_closed(self) -> bool:
        """Whether nobody uses it any more."""
        return not self._users


class FileSegment:
    """A part of a file in the queue of a channel. `left` bytes of a file from `offset` on, both moving as they are
    sent. One thread at a time. `is_brought`: what comes next was just read, whatever the kernel says: a file system
    that always says no must not go on for ever."""

    __slots__ = ("_has_sendfile", "file", "is_brought", "left", "offset")

    def __init__(self, file: OpenFile, offset: int, length: int) -> None:
        file.acquire()
        self.file = file
        self.offset = offset
        self.left = length
        self.is_brought = False
        self._has_sendfile = _HAS_SENDFILE

    def __len__(self) -> int:
        return self.left

    def send(self, sock: socket.socket | SecureSocket, limit: int = BURST_BYTES) -> int:
        """Send what the socket takes, at most `limit` bytes; gives how many it took. Raises BlockingIOError when it
        takes none, FileShrunkError, OSError."""
        count = min(self.left, limit)
        if not count:
            return 0
        self.is_brought = False
        if self._has_sendfile and isinstance(sock, socket.socket):
            sent = self._send_by_kernel(sock, count)
        else:
            sent = self._send_read(sock, count)
        self.offset += sent
        self.left -= sent
        return sent

    def is_cached(self) -> bool:
        """Whether the next bytes can be had without waiting for a disk, as far as the kernel tells: looked at are the
        first and the last one. True where it does not tell."""
        if self.is_brought or not self.left:
            return True
        last = min(self.left, BURST_BYTES) - 1
        return self._is_in_memory(self.offset + last) and self._is_in_memory(self.offset)

    def close(self) -> None:
        """Done with it, sent or not."""
        self.file.release()

    def _is_in_memory(self, offset: int) -> bool:
        if not _NO_WAIT:
            return True
        try:
            os.preadv(self.file.fd, [bytearray(1)], offset, _NO_WAIT)
        except BlockingIOError:
            return False
        except OSError:
            # This file system can't tell.
            return True
        return True

    def _send_by_kernel(self, sock: socket.socket, count: int) -> int:
        try:
            sent = os.sendfile(sock.fileno(), self.file.fd, self.offset, count)
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
            self._has_sendfile = False
            return self._send_read(sock, count)
        if not sent:
            raise self._shrunk()
        return sent

    def _send_read(self, sock: socket.socket | SecureSocket, count: int) -> int:
        data = os.pread(self.file.fd, min(count, _READ_BYTES), self.offset)
        if not data:
            raise self._shrunk()
        return sock.send(data)

    def _shrunk(self) -> FileShrunkError:
        return FileShrunkError(f"the file ends {self.left} bytes before it should")
