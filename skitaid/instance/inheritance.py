"""What a master leaves to the one that takes its place, while both serve: its addresses and its lock, as descriptors
over the channel between them (`supervisor.succession`)."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from skitaid.config.model import Listen
from skitaid.exceptions import SkitaidError
from skitaid.supervisor.succession import Word, say

__all__ = ["Inheritance", "InheritanceError", "ask", "give"]

ANSWER_S = 10.0
"""How long the running master may take to answer. It does nothing that takes longer than a conf is read."""
_FDS_MOST = 250
"""The kernel's limit is 253 (SCM_MAX_FD)."""
_CHUNK = 65536


class InheritanceError(SkitaidError):
    """The running master does not give its addresses; whoever asked for a restart must stop it and start."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a master gives to the one that takes its place. `failed`: the apps that the workers could not load, each
    "MOUNT (…): why"."""

    sockets: Mapping[Listen, socket.socket]
    lock_fd: int
    failed: tuple[str, ...] = ()


def give(channel: socket.socket, to: int, inheritance: Inheritance) -> None:
    """Answer the master with the pid `to`. That it cannot be is no error: it is gone or does not read, or the kernel
    has no room. It gives up in time, and what serves goes on."""
    listens = list(inheritance.sockets)[:_FDS_MOST]
    addresses = [{"host": listen.host, "port": listen.port, "path": listen.path} for listen in listens]
    message = json.dumps({"to": to, "addresses": addresses, "failed": inheritance.failed}).encode() + b"\n"
    fds = [inheritance.lock_fd, *(inheritance.sockets[listen].fileno() for listen in listens)]
    with suppress(OSError):
        # socket.send_fds drops the flags.
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))
        channel.sendmsg([message], [rights], socket.MSG_DONTWAIT)


def ask(predecessor: socket.socket, patience_s: float = ANSWER_S) -> Inheritance | None:
    """What the running master leaves us; None: it is gone. Raises InheritanceError."""
    pid = os.getpid()
    say(predecessor, Word.ASK, pid)
    deadline = time.monotonic() + patience_s
    rest = b""
    fds: list[int] = []
    while data := _receive(predecessor, fds, deadline):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            inheritance = _parse(line, fds, pid)
            if inheritance is not None:
                return inheritance
            _close(fds)  # for one that asked before us and did not live to read it
    return None


def _receive(channel: socket.socket, fds: list[int], deadline: float) -> bytes:
    """What is read next, its descriptors added to `fds`; empty at the end. The kernel does not put two messages with
    descriptors together."""
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    if not poller.poll(max(0, int((deadline - time.monotonic()) * 1000))):
        raise InheritanceError("the running master did not give its addresses in time: stop and start instead")
    try:
        data, came, _, _ = socket.recv_fds(channel, _CHUNK, _FDS_MOST + 1)
    except ConnectionResetError:
        return b""
    for fd in came:
        os.set_inheritable(fd, False)
    fds += came
    return data


def _parse(line: bytes, fds: list[int], pid: int) -> Inheritance | None:
    """None: it is for somebody else."""
    try:
        message = json.loads(line)
        if message["to"] != pid:
            return None
        listens = [Listen(str(item["host"]), int(item["port"]), item["path"]) for item in message["addresses"]]
        lock_fd, *listening = fds
        sockets = {listen: socket.socket(fileno=fd) for listen, fd in zip(listens, listening, strict=True)}
        return Inheritance(sockets, lock_fd, tuple(map(str, message["failed"])))
    except (ValueError, KeyError, TypeError) as error:
        message = "the running master is of a release that is too different: stop and start instead"
        raise InheritanceError(message) from error


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
    fds.clear()
