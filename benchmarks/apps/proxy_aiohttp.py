"""A reverse proxy as one writes it with aiohttp: `proxy_aiohttp.py PORT URL`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, TCPConnector, web

SESSION = web.AppKey("session", ClientSession)
HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})


async def answer(request: web.Request) -> web.StreamResponse:
    fields = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    fields["X-Forwarded-For"] = request.remote or ""
    body = request.content if request.can_read_body else None
    url = sys.argv[2] + request.rel_url.raw_path_qs
    session = request.app[SESSION]
    async with session.request(request.method, url, headers=fields, data=body, allow_redirects=False) as upstream:
        passed = {name: value for name, value in upstream.headers.items() if name.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=upstream.status, headers=passed)
        await response.prepare(request)
        async for piece in upstream.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def keep_session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False) as app[SESSION]:
        yield


if __name__ == "__main__":
    uvloop.install()
    app = web.Application()
    app.cleanup_ctx.append(keep_session)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
