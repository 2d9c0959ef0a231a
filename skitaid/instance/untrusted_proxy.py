"""Tells the administrator of a proxy in front of us that `trusted` in the conf does not name."""

from __future__ import annotations

from collections.abc import Callable

from skitaid.engine.stream import Stream
from skitaid.logs.lines import LogFile

__all__ = ["untrusted_proxy_teller"]


def untrusted_proxy_teller(log: LogFile) -> Callable[[Stream], None]:
    """For `ProxyHeaders.on_doubt`: one line, for the first request that looks as if it came through a proxy."""

    def tell(stream: Stream) -> None:
        peer = stream.connection.peer
        name = next(line.name.decode() for line in stream.head.fields.fields if line.is_hearsay)
        who = peer or "a client of the unix socket"
        advice = f"if that is your proxy, write trusted = {peer or 'unix'} below [server]"
        log.write("warn", f"{who} sends {name}, but is not trusted: apps see it as the client ({advice})")

    return tell
