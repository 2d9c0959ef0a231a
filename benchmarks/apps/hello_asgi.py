"""The ASGI app that every server runs."""

from __future__ import annotations

from typing import Any

HELLO = b"Hello, World!"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says hello."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": HELLO})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
