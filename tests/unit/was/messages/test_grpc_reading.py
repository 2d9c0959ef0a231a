from __future__ import annotations

import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed: make test installs it")

from google.protobuf.wrappers_pb2 import StringValue

from skitaid.protocols.grpc import GrpcCode, frame
from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.grpc_reading import GrpcError, GrpcReader
from skitaid.was.messages.grpc_types import GrpcMethod
from skitaid.was.messages.reply import Decoded, Reply

HELLO = StringValue(value="hello")
ONE = GrpcMethod("Echo", StringValue, StringValue, False, False)
MANY = GrpcMethod("Chat", StringValue, StringValue, True, True)
OK = ((b"grpc-status", b"0"),)


def read(method: GrpcMethod, body: bytes, trailers: tuple[tuple[bytes, bytes], ...] = OK, status: int = 200) -> Decoded:
    return GrpcReader(method)(Reply(status, "", ((b"content-type", b"application/grpc"),), body, trailers))


def test_one_message() -> None:
    found = read(ONE, frame(HELLO.SerializeToString()))
    assert (found.status_code, found.data, found.error) == (200, HELLO, None)
    assert found.headers["grpc-status"] == "0"


def test_several_messages() -> None:
    assert read(MANY, frame(HELLO.SerializeToString()) * 3).data == [HELLO] * 3
    assert read(MANY, b"").data == []


@pytest.mark.parametrize(
    "body", [b"", frame(b"") * 2, frame(b"\xff"), frame(b"")[:-1], b"<html>", frame(HELLO.SerializeToString())[:-1]]
)
def test_what_is_no_response(body: bytes) -> None:
    found = read(ONE, body)
    assert found.status_code == 502 and isinstance(found.error, ReplyError) and found.data is None


@pytest.mark.parametrize(
    ("status", "trailers", "code", "expected"),
    [
        (200, ((b"grpc-status", b"5"), (b"grpc-message", b"no%20such")), GrpcCode.NOT_FOUND, 404),
        (200, ((b"grpc-status", b"99"),), GrpcCode.UNKNOWN, 500),
        (503, (), GrpcCode.UNAVAILABLE, 503),
        (404, (), GrpcCode.UNIMPLEMENTED, 404),
        (302, (), GrpcCode.UNKNOWN, 400),
    ],
)
def test_errors(status: int, trailers: tuple[tuple[bytes, bytes], ...], code: GrpcCode, expected: int) -> None:
    found = read(ONE, b"", trailers, status)
    assert isinstance(found.error, GrpcError) and found.error.code is code
    assert found.status_code == found.error.status == expected


@pytest.mark.parametrize("trailers", [(), ((b"grpc-status", b"fine"),)])
def test_an_end_that_says_nothing(trailers: tuple[tuple[bytes, bytes], ...]) -> None:
    found = read(ONE, frame(HELLO.SerializeToString()), trailers)
    assert found.status_code == 502 and isinstance(found.error, ReplyError)


def test_a_status_in_the_head() -> None:
    fields = ((b"grpc-status", b"7"), (b"grpc-message", b"no"))
    found = GrpcReader(ONE)(Reply(200, "", fields))
    assert isinstance(found.error, GrpcError) and found.status_code == 403


def test_requests() -> None:
    assert ONE.write_all(HELLO) == [HELLO.SerializeToString()]
    assert MANY.write_all([HELLO, HELLO]) == [HELLO.SerializeToString()] * 2
    for method, wrong in ((ONE, "x"), (ONE, [HELLO]), (MANY, HELLO), (MANY, 7), (MANY, ["x"])):
        with pytest.raises(CallError):
            method.write_all(wrong)
