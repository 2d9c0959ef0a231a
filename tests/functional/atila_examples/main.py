"""Responses that come later, other apps, and what needs a server: one app of two that are mounted."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

from atila import Atila
from skitai import was as found

app = Atila(__name__)
app.debug = True

HERE = __file__
together = asyncio.Barrier(10)


@app.before_mount
def before_mount(wac):
    logger = wac.logger.make_logger("login", "daily")
    logger.info(f"{wac.numthreads} threads")
    wac.register("searcher", {"logger": logger})


@app.umounted
def umounted(wac):
    wac.searcher["logger"]("it is over", "warn")
    wac.unregister("searcher")


@app.route("/")
def index(was):
    was.response["X-Same"] = found.request is was.request
    return "index"


@app.route("/futures")
def futures(was, port):
    def response(was, rss):
        return was.API(status_code=[rs.status_code for rs in rss], url=was.ab("futures"))

    here = f"http://127.0.0.1:{port}"
    reqs = [was.get(here + "/"), was.get(here + "/search/query?q=a"), was.get(here + "/none")]
    return was.Futures(reqs, timeout=10).then(response)


@app.route("/chained")
def chained(was, port):
    def repond(was, rss, b, status_code):
        return was.API(last=[rs.status_code for rs in rss], b=b, status_code=status_code)

    def check(was, rss, a):
        status_code = [rs.status_code for rs in rss]
        return was.Futures([was.get(f"http://127.0.0.1:{port}/none")]).then(repond, b=a + 100, status_code=status_code)

    return was.Futures([was.get(f"http://127.0.0.1:{port}/")]).then(check, a=100)


@app.route("/async")
async def asynchronous(was, port):
    await asyncio.sleep(0.01)
    answer = await was.get(f"http://127.0.0.1:{port}/search/query?q=b")
    return was.API(text=answer.text, thread=threading.current_thread() is not threading.main_thread())


@app.route("/async/together")
async def meet(was):
    await together.wait()
    return "together"


@app.route("/async/failing")
async def failing(was):
    raise LookupError("of the coroutine")


@app.route("/file")
def file(was):
    return was.File(HERE, "text/plain")


@app.route("/stream")
def stream(was):
    def generate():
        for number in range(3):
            yield f"{number},{found.request.method}\n"

    return was.response("200 OK", generate(), headers=[("Content-Type", "text/csv")])


@app.route("/apps")
def apps(was):
    return was.API(
        url=was.ab("search:query", "Your Name"),
        same=was.apps["search"].build_url("query", "Your Name"),
        path=was.apps["search"].config.save_path,
        limit=was.apps["search"].config.max_post_body_size,
    )


@app.route("/echo", methods=["POST"])
def echo(was, **form):
    return was.API(form, size=len(was.request.body))


@app.route("/pause")
def pause(was):
    time.sleep(0.01)
    return sys.version


@app.route("/passed/<path:path>")
def proxy(was, path=None):
    return was.proxypass("@myupstream", path)
