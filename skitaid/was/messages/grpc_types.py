"""What a gRPC service's methods take and give, from the descriptions that protoc's modules (…_pb2) register.

The only module of calls that needs protobuf, with those of gRPC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, EncodeError, Message

from skitaid.was.messages.errors import CallError, ReplyError

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

__all__ = ["GrpcMethod", "find_method"]


@dataclass(frozen=True, slots=True)
class GrpcMethod:
    """A method of a gRPC service. `path` below the service's URL. `takes_many`, `gives_many`: a stream of messages
    instead of one."""

    name: str
    request: type[Message]
    response: type[Message]
    takes_many: bool
    gives_many: bool

    def write(self, message: object) -> bytes:
        """A request as bytes. Raises CallError for what is no message of the method's."""
        if not isinstance(message, Message) or message.DESCRIPTOR.full_name != self.request.DESCRIPTOR.full_name:
            expected = self.request.DESCRIPTOR.full_name
            raise CallError(f"{self.name} takes {expected}, found {type(message).__name__}")
        try:
            return message.SerializeToString()
        except EncodeError as error:
            raise CallError(f"{self.name}: the message is not complete: {error}") from error

    def write_all(self, messages: object) -> list[bytes]:
        """The requests of a call as bytes: one, or any number where the method takes a stream. Raises CallError."""
        if not self.takes_many:
            return [self.write(messages)]
        if isinstance(messages, Message) or not isinstance(messages, Iterable):
            raise CallError(f"{self.name} takes a stream: give a list or another iterable of messages")
        return [self.write(message) for message in messages]

    def read(self, data: bytes) -> Message:
        """The response that `data` is. Raises ReplyError."""
        message = self.response()
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            raise ReplyError(
                f"what {self.name} answered is no {self.response.DESCRIPTOR.full_name}: {error}"
            ) from error
        return message


def find_method(service: str, name: str) -> GrpcMethod:
    """The method of that name. `service`: its full name, such as `routeguide.RouteGuide`. Raises CallError."""
    found = _find_service(service)
    method: Any = found.methods_by_name.get(name)
    if method is None:
        known = ", ".join(sorted(found.methods_by_name))
        raise CallError(f"{service} has no method {name!r}, it has {known}")
    return GrpcMethod(
        name,
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
        method.client_streaming,
        method.server_streaming,
    )


def _find_service(service: str) -> ServiceDescriptor:
    try:
        return descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        raise CallError(
            f"the service {service!r} is not known: import the module that protoc made of its .proto file (…_pb2)"
            " before calling it, and end the URL with package.Service"
        ) from None
