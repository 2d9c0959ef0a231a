"""The lifespan of ASGI apps, one and many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from skitaid.handlers.asgi.lifespan import Lifespan, LifespanError
from skitaid.handlers.asgi.lifespans import Lifespans, end_tasks
from tests.unit.engine.rig import request_bytes
from tests.unit.handlers.asgi.rig import AsgiRig, Receive, Send, answer

Scope = dict[str, Any]
PATIENCE_S = 20.0


class Report:
    """What was told, and the traceback with it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.details: list[str] = []

    def __call__(self, text: str, details: str) -> None:
        self.lines.append(text)
        self.details.append(details)


@pytest.fixture
def report() -> Report:
    return Report()


class App:
    """An app with a lifespan. `said` is what it was told; `at_start` and `at_stop` run before it answers."""

    def __init__(
        self,
        at_start: Callable[[Scope], Awaitable[None]] | None = None,
        at_stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.said: list[str] = []
        self._at_start = at_start
        self._at_stop = at_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send, repr(sorted(scope["state"])).encode())
            return
        self.said.append((await receive())["type"])
        if self._at_start is not None:
            await self._at_start(scope)
        await send({"type": "lifespan.startup.complete"})
        self.said.append((await receive())["type"])
        if self._at_stop is not None:
            await self._at_stop()
        await send({"type": "lifespan.shutdown.complete"})


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """With an end, and a loop that leaves nothing behind."""

    async def bounded() -> Any:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await coroutine
        finally:
            await end_tasks(1.0)

    return asyncio.run(bounded())


async def live(lifespan: Lifespan) -> None:
    await lifespan.start()
    await lifespan.stop()


# ---------------------------------------------------------------- one


def test_start_and_stop(report: Report) -> None:
    app, state = App(), {"before": 1}
    scopes: list[Scope] = []

    async def keeps(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        scope["state"]["pool"] = "made"
        await app(scope, receive, send)

    run(live(Lifespan(keeps, state, report)))
    assert app.said == ["lifespan.startup", "lifespan.shutdown"]
    assert scopes == [{"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}]
    assert state == {"before": 1, "pool": "made"}
    assert not report.lines


def test_start_waits_for_the_answer(report: Report) -> None:
    events: list[str] = []

    async def slowly(scope: Scope) -> None:
        await asyncio.sleep(0.01)
        events.append("app")

    async def main() -> None:
        await Lifespan(App(slowly), {}, report).start()
        events.append("started")

    run(main())
    assert events == ["app", "started"]


async def _does_not_know(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"


async def _returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Not interested."""


async def _returns_when_told(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


def _is_no_coroutine(scope: Scope, receive: Receive, send: Send) -> Any:
    return None


@pytest.mark.parametrize("app", [_does_not_know, _returns, _returns_when_told, _is_no_coroutine])
def test_apps_that_do_not_care(report: Report, app: Any) -> None:
    run(live(Lifespan(app, {}, report)))
    assert not report.lines


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_error_after_it_heard_of_the_start_is_told_and_no_refusal(report: Report, kind: type[BaseException]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise kind("no database")

    run(live(Lifespan(app, {}, report)))
    [line] = report.lines
    assert f"{kind.__name__}: no database" in line
    assert "raise kind" in report.details[0]


def test_a_start_that_fails(report: Report) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        message = "Traceback (most recent call last):\n  File …\nOSError: no database\n"
        await send({"type": "lifespan.startup.failed", "message": message})
        raise OSError("no database")

    async def main() -> None:
        lifespan = Lifespan(app, {}, report)
        with pytest.raises(LifespanError) as caught:
            await lifespan.start()
        assert str(caught.value) == "OSError: no database"
        assert caught.value.details.startswith("Traceback")
        await lifespan.stop()

    run(main())
    # Told once is enough.
    assert not report.lines


def test_a_start_that_fails_without_a_word(report: Report) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed"})

    with pytest.raises(LifespanError, match=r"lifespan\.startup\.failed"):
        run(Lifespan(app, {}, report).start())


def test_an_end_before_its_time(report: Report) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.sleep(0)
        raise KeyError("died")

    async def main() -> None:
        lifespan = Lifespan(app, {}, report)
        await lifespan.start()
        while not report.lines:
            await asyncio.sleep(0)
        await lifespan.stop()

    run(main())
    assert "KeyError: 'died'" in report.lines[0]
    assert "Traceback" in report.details[0]


@pytest.mark.parametrize("how", ["message", "raise"])
def test_a_stop_that_fails(report: Report, how: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if how == "raise":
            raise ValueError("stuck")
        await send({"type": "lifespan.shutdown.failed", "message": "ValueError: stuck"})

    with pytest.raises(LifespanError, match="ValueError: stuck"):
        run(live(Lifespan(app, {}, report)))


@pytest.mark.parametrize(
    "kind", ["lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.starting", "http.response.start"]
)
def test_a_message_out_of_place(report: Report, kind: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": kind})

    run(live(Lifespan(app, {}, report)))
    [line] = report.lines
    assert repr(kind) in line
    assert "when it was told lifespan.startup" in line


# ---------------------------------------------------------------- many


def test_state_reaches_requests_as_copies(asgi: AsgiRig, report: Report) -> None:
    async def fill(scope: Scope) -> None:
        scope["state"]["pool"] = "made"

    app = App(fill)
    lifespans = Lifespans(report)
    lifespans.add(app, asgi.asgi(app, "/a"), "/a")
    lifespans.add(app, asgi.asgi(app, "/b"), "/b")
    assert asgi.run(lifespans.start(PATIENCE_S)) == []
    client = asgi.client()
    assert client.get("/a").body == client.get("/b").body == b"['pool']"
    asgi.run(lifespans.stop(PATIENCE_S))
    # Mounted twice, it lives once.
    assert app.said == ["lifespan.startup", "lifespan.shutdown"]
    assert not report.lines


def test_one_that_fails_does_not_keep_the_others_from_being_served(asgi: AsgiRig, report: Report) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Traceback …\nKeyError: 'URL'"})

    app = App()
    lifespans = Lifespans(report)
    lifespans.add(failing, asgi.asgi(failing, "/bad"), "/bad (site.conf:3)")
    lifespans.add(app, asgi.asgi(app, "/good"), "/good (site.conf:4)")
    trouble = asgi.run(lifespans.start(PATIENCE_S))
    assert trouble == report.lines == ["/bad (site.conf:3): the app failed to start: KeyError: 'URL'"]
    assert report.details[0].startswith("Traceback")
    client = asgi.client()
    assert (client.get("/bad").code, client.get("/good").code) == (500, 200)
    asgi.run(lifespans.stop(PATIENCE_S))
    assert app.said == ["lifespan.startup", "lifespan.shutdown"]


def test_one_that_does_not_answer_is_waited_for_no_longer_than_patience(asgi: AsgiRig, report: Report) -> None:
    go_on = asyncio.Event()

    async def wait(scope: Scope) -> None:
        await go_on.wait()

    late, app = App(wait), App()
    lifespans = Lifespans(report)
    lifespans.add(late, asgi.asgi(late, "/late"), "/late (site.conf:3)")
    lifespans.add(app, asgi.asgi(app, "/good"), "/good (site.conf:4)")
    [trouble] = asgi.run(lifespans.start(0.02))
    assert trouble.startswith("/late (site.conf:3): the app did not answer lifespan.startup within 0 s")
    client = asgi.client()
    reply = client.get("/late")
    assert (reply.code, reply.get("retry-after"), client.get("/good").code) == (503, "1", 200)
    go_on.set()
    asgi.until(lambda: "the app is ready now" in report.lines[-1])
    assert client.get("/late").code == 200
    asgi.run(lifespans.stop(PATIENCE_S))
    assert late.said == ["lifespan.startup", "lifespan.shutdown"]


def test_one_that_fails_late(asgi: AsgiRig, report: Report) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    lifespans = Lifespans(report)
    lifespans.add(app, asgi.asgi(app), "/")
    asgi.run(lifespans.start(0.01))
    assert asgi.client().get().code == 503
    go_on.set()
    asgi.until(lambda: len(report.lines) == 2)
    assert report.lines[1] == "/: the app failed to start: no"
    assert asgi.client().get().code == 500


def test_apps_start_and_stop_side_by_side(asgi: AsgiRig, report: Report) -> None:
    """Each waits for the other."""
    meeting = asyncio.Barrier(2)

    async def meet(scope: Scope | None = None) -> None:
        await meeting.wait()

    apps = [App(meet, meet), App(meet, meet)]
    lifespans = Lifespans(report)
    for index, app in enumerate(apps):
        lifespans.add(app, asgi.asgi(app, f"/{index}"), f"/{index}")
    assert asgi.run(lifespans.start(PATIENCE_S)) == []
    asgi.run(lifespans.stop(PATIENCE_S))
    assert not report.lines
    assert [app.said for app in apps] == [["lifespan.startup", "lifespan.shutdown"]] * 2


@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_stop_without_an_answer_is_told_and_given_up(asgi: AsgiRig, report: Report, is_deaf: bool) -> None:
    is_over = asyncio.Event()

    async def hang() -> None:
        while not is_over.is_set():
            try:
                await is_over.wait()
            except asyncio.CancelledError:
                if not is_deaf:
                    raise

    app = App(at_stop=hang)
    lifespans = Lifespans(report)
    lifespans.add(app, asgi.asgi(app), "/")
    asgi.run(lifespans.start(PATIENCE_S))
    began = time.monotonic()
    asgi.run(lifespans.stop(0.02))
    assert report.lines == ["/: the app did not answer lifespan.shutdown within 0.02 s"]
    asgi.run(end_tasks(0.02))
    assert time.monotonic() - began < PATIENCE_S / 2
    is_over.set()
    asgi.run(end_tasks(1.0))


def test_requests_end_before_the_lifespan(asgi: AsgiRig, report: Report) -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            events.append("lifespan")
            await send({"type": "lifespan.shutdown.complete"})
            return
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.005)
            events.append("request")

    lifespans = Lifespans(report)
    lifespans.add(app, asgi.asgi(app), "/")
    asgi.run(lifespans.start(PATIENCE_S))
    asgi.client().send(request_bytes())
    asgi.settle()
    asgi.run(lifespans.stop(PATIENCE_S))
    assert events == ["request", "lifespan"]


def test_busy_is_who_works_for_a_request(asgi: AsgiRig, report: Report) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"done")
        await go_on.wait()

    lifespans = Lifespans(report)
    lifespans.add(app, asgi.asgi(app), "/")
    assert not lifespans.is_busy
    assert asgi.client().get().body == b"done"
    assert lifespans.is_busy
    go_on.set()
    asgi.until(lambda: not lifespans.is_busy)


def test_without_apps_there_is_nothing_to_do(report: Report) -> None:
    async def main() -> None:
        lifespans = Lifespans(report)
        assert await lifespans.start(PATIENCE_S) == []
        await lifespans.stop(PATIENCE_S)

    run(main())


def test_the_end_of_what_apps_left_running(asgi: AsgiRig) -> None:
    events: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            events.append("task")

    async def generate() -> Any:
        try:
            yield 1
            yield 2
        finally:
            events.append("generator")

    async def main() -> tuple[Any, Any]:
        generator = generate()
        await anext(generator)
        return asyncio.create_task(background()), generator

    kept = asgi.run(main())
    asgi.turn()
    asgi.run(end_tasks(PATIENCE_S))
    assert sorted(events) == ["generator", "task"]
    assert kept[0].cancelled()
