from __future__ import annotations

import pytest

from tests.unit.engine.rig import MakeRig, Rig, hello, request_bytes


def test_every_second_has_its_tick(rig: Rig) -> None:
    ticks: list[float] = []
    rig.engine.on_tick.append(lambda: ticks.append(rig.engine.now))
    rig.advance(3)
    assert ticks == [1001.0, 1002.0, 1003.0]


def test_a_tick_that_fails_does_not_end_the_loop(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    ticks: list[int] = []
    rig.engine.on_tick += [lambda: 1 // 0, lambda: ticks.append(1)]
    rig.advance(2)
    assert ticks == [1, 1]
    assert capsys.readouterr().err.count("ZeroDivisionError") == 2


def test_the_date_follows_the_clock_on_the_wall(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.app(hello)
    client = rig.client()
    monkeypatch.setattr("time.time", lambda: 784111777.0)
    rig.advance(1)
    assert client.get("/").get("date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    monkeypatch.setattr("time.time", lambda: 784111778.0)
    assert client.get("/").get("date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    rig.advance(1)
    assert client.get("/").get("date") == "Sun, 06 Nov 1994 08:49:38 GMT"


def test_what_is_not_to_be_logged_is_counted_all_the_same(make_rig: MakeRig) -> None:
    rig = make_rig(is_unlogged=lambda target: target.startswith("/live"))
    rig.app(hello)
    client = rig.client()
    for path in ("/live", "/a?b", "/live?x"):
        assert client.get(path).code == 200
    client.send(b"no request\r\n\r\n")
    client.end()
    assert [record[4] for record in rig.records] == ["/a?b", "-"]
    assert rig.engine.requests == 4


def test_a_full_queue_is_503(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1, queue_limit=0)
    rig.app(hello)
    client = rig.client()
    for _ in range(2):
        reply = client.get("/")
        assert (reply.code, reply.get("retry-after"), reply.get("connection")) == (503, "1", None)
    # With a body that came whole, too.
    assert client.ask(request_bytes("/", method="POST", body=b"x" * 1000)).code == 503


def test_a_full_queue_and_a_body_on_its_way(make_rig: MakeRig) -> None:
    """The rest of the body is heard and thrown away, so that the client sees its answer."""
    rig = make_rig(threads=1, queue_limit=0)
    rig.app(hello)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 1000000", method="POST") + b"x" * 200000)
    reply = client.reply()
    assert (reply.code, reply.get("connection")) == (503, "close")
    client.send(b"x" * 500000)
    assert client.end() == b""


def test_closing_twice_is_fine(make_rig: MakeRig) -> None:
    rig = make_rig(threads=2)
    rig.engine.close(10)
    rig.engine.close(10)
    assert rig.engine.loop.is_closed()
