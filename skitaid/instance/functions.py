"""What was.Process starts: `PYTHON functions.py FD`, a process that runs functions of the apps, one at a time.

FD is a socket. A message is its length in eight bytes and a pickle. First comes a dict that says how the worker finds
modules, then functions with their arguments; each is answered by whether it went well, what came of it, and where it
failed. When the socket ends, so does this process with its group, in the middle of a function too.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

LENGTH = struct.Struct("!Q")


def main() -> None:
    """Until the socket ends."""
    link = socket.socket(fileno=int(sys.argv[1]))
    link.set_inheritable(False)
    threading.Thread(target=end_with, args=(link,), daemon=True).start()
    setup(pickle.loads(receive(link)))
    while True:
        answer = run(receive(link))
        link.sendall(LENGTH.pack(len(answer)) + answer)


def end_with(link: socket.socket) -> None:
    """A thread's root."""
    poll = select.poll()
    poll.register(link, select.POLLRDHUP)
    poll.poll()
    die()


def die() -> None:
    """At once, and with us all that we started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def setup(told: Mapping[str, Any]) -> None:
    """Find modules as the worker does, and share what its was shares."""
    # Python put this folder first, because the file in it was run; the worker has other ideas.
    sys.path[:] = told["path"]
    from pathlib import Path

    from skitaid.handlers.loading.imports import Projects
    from skitaid.supervisor.title import set_title
    from skitaid.was.state_table import StateTable
    from skitaid.was.states import register_states
    from skitaid.was.worker import HelperProcess, install_helper

    set_title(told["title"])
    os.set_inheritable(told["states_fd"], False)
    install_helper(HelperProcess(Path(told["var_folder"]), StateTable.of(told["states_fd"])))
    register_states(*told["state_names"])
    projects = Projects.current()
    for root in told["roots"]:
        projects.project(root)


def run(request: bytes) -> bytes:
    """The answer. Whatever a function does, the process goes on."""
    try:
        function, args, named = pickle.loads(request)
        return pickle.dumps((True, function(*args, **named), ""))
    except BaseException as error:  # noqa: BLE001
        text = traceback.format_exc()
        with suppress(Exception):
            answer = pickle.dumps((False, error, text))
            # There are exceptions that can be pickled and not be read again.
            pickle.loads(answer)
            return answer
        return pickle.dumps((False, None, text))


def receive(link: socket.socket) -> bytes:
    (length,) = LENGTH.unpack(take(link, LENGTH.size))
    return take(link, length)


def take(link: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = link.recv(min(count - len(data), 1 << 20))
        if not piece:
            die()
        data += piece
    return bytes(data)


if __name__ == "__main__":
    main()
