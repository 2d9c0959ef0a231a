"""Requests that are over leave nothing for the garbage collector, which is off here."""

from __future__ import annotations

import asyncio
import gc
import weakref

from atila import Atila

gc.collect()
gc.disable()

app = Atila(__name__)
app.debug = True
seen = weakref.WeakSet()


@app.before_request
def before_request(was):
    was.g.user = was.request.args
    seen.add(was)


@app.route("/text")
def text(was):
    was.response.set_header("X-A", 1)
    return "text"


@app.route("/stream")
def stream(was):
    return (was.request.method for _ in range(3))


@app.route("/failure")
def failure(was):
    raise LookupError("of the app")


@app.route("/coroutine")
async def coroutine(was):
    await asyncio.sleep(0.001)
    return was.request.method


@app.route("/coroutine/failing")
async def failing(was):
    await asyncio.sleep(0.001)
    raise LookupError("of the coroutine")


@app.route("/later")
def later(was):
    return was.Tasks([was.Thread(len, ("abc",))]).then(lambda was, rss: was.API(n=rss[0].fetch()))


@app.route("/later/failing")
def later_failing(was):
    return was.Tasks([was.Thread(len, ("abc",))]).then(lambda was, rss: 1 / 0)


@app.route("/left")
def left(was):
    return len(seen) - 1
