"""Who is believed, over an engine: its peers are at 192.0.2.7."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.logs.request import FIELDS
from tests.unit.engine.rig import Client, Rig

MakeTrusting = Callable[..., "Trusting"]


class Trusting:
    """A rig whose app keeps every environ."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self.rig = Rig(EngineSettings(threads=0, trusted=trusted))
        self.seen: list[dict[str, Any]] = []
        self.doubts: list[Stream] = []
        self.rig.app(self._app)
        self.rig.engine.proxy_headers.on_doubt = self.doubts.append

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.seen.append(environ)
        start_response("200 OK", [])
        return [b""]

    def client(self, peer: str = "192.0.2.7") -> Client:
        client = self.rig.client()
        client.connection.peer = peer
        return client

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [dict(zip(FIELDS, record, strict=True)) for record in self.rig.records]


@pytest.fixture
def make() -> Iterator[MakeTrusting]:
    made: list[Trusting] = []

    def trusting(*trusted: str) -> Trusting:
        made.append(Trusting(trusted))
        return made[-1]

    yield trusting
    for one in made:
        one.rig.close()


def test_each_request_has_an_id_that_the_log_and_the_app_share(make: MakeTrusting) -> None:
    site = make()
    client = site.client()
    for _ in range(3):
        assert client.get().code == 200
    ids = [environ["HTTP_X_GTXN_ID"] for environ in site.seen]
    assert len(set(ids)) == 3
    assert [line["gtxn"] for line in site.logged] == ids
    assert [line["ltxn"] for line in site.logged] == ["1000"] * 3


def test_ids_are_kept_for_the_request_that_carries_them_alone(make: MakeTrusting) -> None:
    site = make("192.0.2.0/24")
    client = site.client()
    client.get("/", "X-Gtxn-Id: GTID-C1-R2", "X-Ltxn-Id: 2001")
    client.get("/")
    client.get("/", "X-Gtxn-Id: GTID-C1-R3")
    pairs = [(environ["HTTP_X_GTXN_ID"], environ["HTTP_X_LTXN_ID"]) for environ in site.seen]
    assert pairs == [("GTID-C1-R2", "2001"), (site.logged[1]["gtxn"], "1000"), ("GTID-C1-R3", "1000")]
    assert pairs[1][0] not in (pairs[0][0], pairs[2][0])
    assert [(line["gtxn"], line["ltxn"]) for line in site.logged] == pairs


def test_the_same_block_means_another_thing_from_another_peer(make: MakeTrusting) -> None:
    site = make("192.0.2.7")
    for peer in ("192.0.2.7", "192.0.2.8", "192.0.2.7", "192.0.2.8", "192.0.2.7"):
        site.client(peer).get("/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    schemes = ["https", "http", "https", "http", "https"]
    clients = ["203.0.113.9", "192.0.2.8", "203.0.113.9", "192.0.2.8", "203.0.113.9"]
    assert [environ["wsgi.url_scheme"] for environ in site.seen] == schemes
    assert [environ["REMOTE_ADDR"] for environ in site.seen] == clients
    assert [line["client"] for line in site.logged] == clients
    assert {line["forwarded_for"] for line in site.logged} == {"203.0.113.9"}


def test_the_same_block_means_another_thing_to_another_engine(make: MakeTrusting) -> None:
    for trusted, client in (("192.0.2.7", "203.0.113.9"), ("203.0.113.0/24", "192.0.2.7"), ("192.0.2.7", "6.6.6.6")):
        site = make(trusted, *(("203.0.113.0/24",) if client == "6.6.6.6" else ()))
        for _ in range(3):
            site.client().get("/", "X-Forwarded-For: 6.6.6.6, 203.0.113.9")
        assert [environ["REMOTE_ADDR"] for environ in site.seen] == [client] * 3


def test_a_body_arrives_with_a_head_that_was_changed(make: MakeTrusting) -> None:
    site = make("192.0.2.7")
    client = site.client()
    fields = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: a.example"
    client.send(b"POST /x HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\nContent-Length: 5\r\n\r\nhello")
    assert client.reply("POST").code == 200
    (environ,) = site.seen
    assert environ["wsgi.input"].read() == b"hello"
    assert (environ["CONTENT_LENGTH"], environ["HTTP_HOST"]) == ("5", "a.example")
    assert client.get().code == 200


def test_an_absolute_target_goes_before_what_a_proxy_says(make: MakeTrusting) -> None:
    """RFC 9112 section 3.2.2."""
    site = make("192.0.2.7")
    for target in ("http://b.example/", "/", "http://b.example/"):
        site.client().get(target, "X-Forwarded-Host: a.example")
    assert [environ["HTTP_HOST"] for environ in site.seen] == ["b.example", "a.example", "b.example"]


def test_a_refused_forwarded_is_logged_and_ends_the_connection(make: MakeTrusting) -> None:
    site = make("192.0.2.7")
    client = site.client()
    reply = client.get("/", 'Forwarded: for="a')
    assert (reply.code, reply.get("Connection")) == (400, "close")
    assert site.seen == []
    assert [(line["status"], line["uri"]) for line in site.logged] == [(400, "/")]
    assert site.client("192.0.2.8").get("/", 'Forwarded: for="a').code == 200


def test_a_doubt_is_told_once_and_of_a_peer_nearby_alone(make: MakeTrusting) -> None:
    site = make("192.0.2.7")
    for peer in ("192.0.2.7", "192.0.2.8", "8.8.8.8"):
        site.client(peer).get("/", "X-Forwarded-For: 203.0.113.9")
    site.client("10.0.0.1").get("/", "X-Gtxn-Id: a", "X-Real-IP: 203.0.113.9")
    site.client("10.0.0.1").get("/")
    assert site.doubts == []
    for peer in ("10.0.0.1", "127.0.0.1", ""):
        site.client(peer).get("/", "X-Forwarded-For: 203.0.113.9")
    assert [stream.connection.peer for stream in site.doubts] == ["10.0.0.1"]


@pytest.mark.parametrize("line", ["X-Forwarded-Proto: https", "Forwarded: for=203.0.113.9"])
def test_each_kind_of_field_raises_a_doubt(make: MakeTrusting, line: str) -> None:
    site = make()
    site.client("").get("/", line)
    assert len(site.doubts) == 1
