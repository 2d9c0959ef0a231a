"""Clients that keep their connections open and say little: `python idle_clients.py PORT COUNT`.

Prints `open` when all are connected and were answered once. From then on every connection asks for something about
once a minute. Ends when its standard input does.
"""

from __future__ import annotations

import select
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER_LIMIT_S = 10.0
EACH_S = 60.0
SLICE = 256


def main() -> int:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    clients: list[socket.socket] = []
    while len(clients) < count:
        clients += _connect(port, min(SLICE, count - len(clients)))
    print("open", flush=True)
    _stay(clients)
    return 0


def _connect(port: int, count: int) -> list[socket.socket]:
    """So many at a time that no queue of the server's overflows."""
    clients = [socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT_S) for _ in range(count)]
    for client in clients:
        _ask(client)
    return clients


def _stay(clients: list[socket.socket]) -> None:
    """One request after the other, evenly spread."""
    number = 0
    while not select.select([sys.stdin], [], [], EACH_S / len(clients))[0]:
        _ask(clients[number % len(clients)])
        number += 1


def _ask(client: socket.socket) -> None:
    client.sendall(REQUEST)
    if not client.recv(65536).startswith(b"HTTP/1.1 200"):
        raise ConnectionError("the answer is not 200, or the connection was closed")


if __name__ == "__main__":
    sys.exit(main())
