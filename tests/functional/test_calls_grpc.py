"""gRPC calls of apps, against the server of grpcio."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

grpc = pytest.importorskip("grpc", reason="grpcio is not installed: make test installs it")
pytest.importorskip("h2", reason="h2 is not installed: make test installs it")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

from skitaid import was  # noqa: E402
from skitaid.protocols.grpc import GrpcCode  # noqa: E402
from skitaid.upstream.errors import UpstreamError  # noqa: E402
from skitaid.upstream.settings import HttpVersion  # noqa: E402
from skitaid.was.errors import HTTPError  # noqa: E402
from skitaid.was.messages.errors import CallError, ReplyError  # noqa: E402
from skitaid.was.messages.grpc_reading import GrpcError  # noqa: E402
from tests.functional.calling import backend, calling, response, serving  # noqa: E402
from tests.functional.engines import PATIENCE_S  # noqa: E402

MESSAGES = {
    "Point": {"latitude": "int32", "longitude": "int32"},
    "Feature": {"name": "string", "location": "Point"},
    "RouteNote": {"message": "string"},
    "RouteSummary": {"point_count": "int32"},
}
METHODS = {
    "GetFeature": ("Point", "Feature", False, False),
    "ListFeatures": ("Point", "Feature", False, True),
    "RecordRoute": ("Point", "RouteSummary", True, False),
    "RouteChat": ("RouteNote", "RouteNote", True, True),
}


def route_guide() -> dict[str, Any]:
    """What protoc's route_guide_pb2 would register and hold."""
    file = descriptor_pb2.FileDescriptorProto(name="route_guide.proto", package="routeguide", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = message.field.add(name=field, number=number, label=1)
            if kind in MESSAGES:
                added.type, added.type_name = 11, f".routeguide.{kind}"
            else:
                added.type = {"int32": 5, "string": 9}[kind]
    service = file.service.add(name="RouteGuide")
    for name, (takes, gives, takes_many, gives_many) in METHODS.items():
        service.method.add(
            name=name, input_type=f".routeguide.{takes}", output_type=f".routeguide.{gives}",
            client_streaming=takes_many, server_streaming=gives_many,
        )  # fmt: skip
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"routeguide.{name}")) for name in MESSAGES
    }


PB = route_guide()
Point, Feature, RouteNote, RouteSummary = PB.values()
SOUTH = -409146138


class Guide:
    """The service."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.time_left: float | None = None
        self.over = threading.Event()

    def GetFeature(self, point: Any, context: Any) -> Any:  # as the .proto has it
        self.metadata = {item.key: item.value for item in context.invocation_metadata()}
        self.time_left = context.time_remaining()
        if point.latitude == 1:
            context.abort(grpc.StatusCode.NOT_FOUND, "no feature é\n%")
        if point.latitude == 2:
            raise RuntimeError("the service fails")
        if point.latitude == 3:
            context.add_callback(self.over.set)
            self.over.wait(PATIENCE_S)
        if point.latitude == 4:
            context.set_compression(grpc.Compression.Gzip)
            return Feature(name="x" * 100_000)
        if point.latitude == 5:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")
        return Feature(name="somewhere", location=point)

    def ListFeatures(self, point: Any, context: Any) -> Iterator[Any]:
        for number in range(point.latitude):
            yield Feature(name=f"feature {number}")
        if point.longitude:
            context.abort(grpc.StatusCode.DATA_LOSS, "half of it")

    def RecordRoute(self, points: Iterator[Any], context: Any) -> Any:
        return RouteSummary(point_count=sum(1 for _ in points))

    def RouteChat(self, notes: Iterator[Any], context: Any) -> Iterator[Any]:
        for note in notes:
            yield RouteNote(message=note.message.upper())


def handlers(guide: Guide) -> Any:
    found = {}
    for name, (takes, gives, takes_many, gives_many) in METHODS.items():
        kind = f"{'stream' if takes_many else 'unary'}_{'stream' if gives_many else 'unary'}"
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        found[name] = make(getattr(guide, name), PB[takes].FromString, PB[gives].SerializeToString)
    return grpc.method_handlers_generic_handler("routeguide.RouteGuide", found)


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide()


@pytest.fixture(scope="module")
def url(guide: Guide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    servers = []
    ports = []
    for _ in range(2):
        server = grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((handlers(guide),))
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        servers.append(server)
    aliases = {"guide": [("127.0.0.1", ports[0])], "guides": [("127.0.0.1", port) for port in ports]}
    with calling(tmp_path_factory.mktemp("var"), aliases, version=HttpVersion.HTTP2):
        yield f"http://127.0.0.1:{ports[0]}/routeguide.RouteGuide"
    for server in servers:
        server.stop(None).wait(10)


# ---------------------------------------------------------------- the four kinds of calls


def test_as_the_documents_call(url: str, guide: Guide) -> None:
    stub = was.grpc(url)
    req = stub.GetFeature(Point(latitude=409146138, longitude=-746188906), 10.0)
    resp = req.dispatch()
    assert (resp.status, resp.status_code, resp.reason) == (was.STA_NORMAL, 200, "OK")
    assert resp.data == Feature(name="somewhere", location=Point(latitude=409146138, longitude=-746188906))
    assert guide.time_left is not None and 0 < guide.time_left <= 10


def test_the_older_form(url: str) -> None:
    stub = was.grpc(url)
    stub.GetFeature(Point(latitude=9))
    assert stub.getwait(10).data.name == "somewhere"
    with pytest.raises(CallError):
        was.grpc(url).getwait(10)


def test_by_alias_and_to_all(url: str) -> None:
    with was.grpc.lb("@guides/routeguide.RouteGuide") as stub:
        assert stub.GetFeature(Point(latitude=9)).fetch(10).name == "somewhere"
    with was.grpc.map("@guides/routeguide.RouteGuide") as stub:
        assert [result.data.name for result in stub.GetFeature(Point(latitude=9)).dispatch(10)] == ["somewhere"] * 2


def test_metadata(url: str, guide: Guide) -> None:
    was.grpc(url, auth="abc", headers={"X-Trace": "7"}).GetFeature(Point(latitude=9)).fetch(10)
    assert guide.metadata["authorization"] == "Bearer abc" and guide.metadata["x-trace"] == "7"


def test_a_stream_comes(url: str) -> None:
    features = was.grpc(url).ListFeatures(Point(latitude=500)).fetch(10)
    assert [feature.name for feature in features] == [f"feature {number}" for number in range(500)]
    assert was.grpc(url).ListFeatures(Point()).fetch(10) == []


def test_a_stream_goes(url: str) -> None:
    points = (Point(latitude=number) for number in range(1000))
    assert was.grpc(url).RecordRoute(points).fetch(10).point_count == 1000
    assert was.grpc(url).RecordRoute([]).fetch(10).point_count == 0


def test_streams_both_ways_at_once(url: str) -> None:
    notes = [RouteNote(message=f"note {number}") for number in range(10)]
    assert [note.message for note in was.grpc(url).RouteChat(notes).fetch(10)] == [f"NOTE {n}" for n in range(10)]


# ---------------------------------------------------------------- message by message


def test_a_chat(url: str) -> None:
    with was.grpc(url).RouteChat.stream(timeout=20) as chat:
        for word in ("request", "early", "use", "late"):
            chat.send(RouteNote(message=word))
            assert next(chat).message == word.upper()
        chat.end()
        assert list(chat) == []
        with pytest.raises(ReplyError):
            chat.send(RouteNote(message="too late"))


def test_a_stream_that_is_read_as_it_comes(url: str) -> None:
    stream = was.grpc(url).ListFeatures.stream(Point(latitude=5000), timeout=20)
    assert sum(1 for _ in stream) == 5000


def test_a_stream_that_is_not_read_holds_the_server_back(url: str) -> None:
    stream = was.grpc(url).ListFeatures.stream(Point(latitude=200_000), timeout=20)
    assert next(stream).name == "feature 0"
    with stream:
        pass
    with pytest.raises(UpstreamError):
        for _ in stream:
            pass


def test_a_stream_that_goes_message_by_message(url: str) -> None:
    with was.grpc(url).RecordRoute.stream(timeout=20) as route:
        for number in range(2000):
            route.send(Point(latitude=number))
        route.end()
        assert next(route).point_count == 2000


def test_a_stream_that_breaks(url: str) -> None:
    stream = was.grpc(url).ListFeatures.stream(Point(latitude=3, longitude=1), timeout=20)
    heard = []
    with pytest.raises(GrpcError) as caught:
        for feature in stream:
            heard.append(feature.name)
    assert len(heard) == 3 and caught.value.code is GrpcCode.DATA_LOSS


def test_a_stream_that_takes_too_long(url: str) -> None:
    with was.grpc(url).RouteChat.stream(timeout=0.3) as chat, pytest.raises((TimeoutError, UpstreamError, GrpcError)):
        next(chat)


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("latitude", "code", "status", "details"),
    [
        (1, GrpcCode.NOT_FOUND, 404, "no feature é\n%"),
        (2, GrpcCode.UNKNOWN, 500, "Exception calling application: the service fails"),
        (5, GrpcCode.UNAUTHENTICATED, 401, "who are you"),
    ],
)
def test_errors(url: str, latitude: int, code: GrpcCode, status: int, details: str) -> None:
    result = was.grpc(url).GetFeature(Point(latitude=latitude)).dispatch(10)
    assert (result.status, result.status_code) == (was.STA_REQFAIL, status)
    assert isinstance(result.error, GrpcError)
    assert (result.error.code, result.error.details) == (code, details)


def test_an_error_behind_some_messages(url: str) -> None:
    result = was.grpc(url).ListFeatures(Point(latitude=3, longitude=1)).dispatch(10)
    assert isinstance(result.error, GrpcError) and result.error.code is GrpcCode.DATA_LOSS


def test_a_compressed_message(url: str) -> None:
    assert len(was.grpc(url).GetFeature(Point(latitude=4)).fetch(10).name) == 100_000


def test_deadlines(url: str) -> None:
    assert was.grpc(url).GetFeature(Point(latitude=3), 0.3).dispatch().status_code == 504


def test_fetch_raises(url: str) -> None:
    with pytest.raises(HTTPError) as caught:
        was.grpc(url).GetFeature(Point(latitude=1)).fetch(10)
    assert isinstance(caught.value.__cause__, GrpcError)


def test_what_is_wrong_is_told_at_once(url: str) -> None:
    stub = was.grpc(url)
    for wrong in (
        lambda: stub.NoSuchMethod,
        lambda: stub.GetFeature(RouteNote()),
        lambda: stub.GetFeature("text"),
        lambda: stub.RecordRoute(Point()),
        lambda: stub.RecordRoute([RouteNote()]),
        lambda: was.grpc("http://127.0.0.1:1/no.such.Service").Do,
        lambda: was.grpc("http://127.0.0.1:1/"),
        lambda: was.grpc(url, {"a": 1}),
        lambda: was.grpc("@nobody/routeguide.RouteGuide").GetFeature(Point()),
    ):
        with pytest.raises(CallError):
            wrong()


def test_a_method_that_the_server_does_not_have(url: str) -> None:
    result = was.grpc(url.replace("/routeguide", "/other/routeguide")).GetFeature(Point()).dispatch(10)
    assert isinstance(result.error, GrpcError) and result.error.code is GrpcCode.UNIMPLEMENTED
    assert result.status_code == 501


def test_servers_that_speak_no_grpc(url: str) -> None:
    with backend(lambda request: response(200, b"<html>")) as (_, other):
        result = was.grpc(f"{other}/routeguide.RouteGuide").GetFeature(Point(), 10).dispatch()
        assert result.status_code == 502
    with serving(lambda connection: None) as (host, port):
        stub = was.grpc(f"http://{host}:{port}/routeguide.RouteGuide")
        assert stub.GetFeature(Point(), 10).dispatch().status_code == 502
        with pytest.raises(UpstreamError):
            next(stub.ListFeatures.stream(Point(), 10))
