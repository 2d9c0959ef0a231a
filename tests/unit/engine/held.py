"""Requests that are answered when the test says so."""

from __future__ import annotations

from skitaid.engine.stream import Stream
from tests.unit.engine.http2_client import Http2Client
from tests.unit.engine.rig import Rig

__all__ = ["Held"]


class Held:
    """A handler whose requests are taken as an app thread takes them."""

    def __init__(self, rig: Rig) -> None:
        self.streams: list[Stream] = []
        self.rig = rig
        rig.handler(self._take)

    def _take(self, stream: Stream) -> None:
        if stream.head.content_length != 0:
            stream.expect_body(lambda: self._begin(stream))
        else:
            self._begin(stream)

    def _begin(self, stream: Stream) -> None:
        stream.is_dispatched = True
        stream.is_on_loop = False
        self.streams.append(stream)

    def next(self, client: Http2Client | None = None) -> Stream:
        """The next request; `client` sends it, by HTTP/2."""
        if client is None:
            self.rig.until(lambda: self.streams, "a request comes in")
        else:
            client.until(lambda: self.streams)
        return self.streams.pop(0)
