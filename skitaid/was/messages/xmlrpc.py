"""XML-RPC: calls as XML and answers as Python values, by the standard library's marshalling. Pure.

Dates are datetime, binary is bytes, None is <nil/>, whole numbers beyond 32 bits are <i8>. A document type declaration
is refused: nobody needs one here, and its entities can grow without bound.
"""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final
from xml.parsers import expat

from skitaid.was.messages.errors import CallError, ReplyError, RpcFault

__all__ = [
    "XmlRpcFault", "read_multicall", "read_response", "write_call", "write_multicall", "write_response",
]  # fmt: skip

_METHOD: Final = re.compile(r"[A-Za-z0-9_.:/]+").fullmatch  # the specification's own alphabet
# XML 1.0 section 2.2 has no place for these, escaped or not.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]").search
_MAX_DEPTH: Final = 400
_INT4: Final = 1 << 31
_INT8: Final = 1 << 63
# What the standard library's reader raises for a document that is XML and no response.
_BAD_VALUES: Final = (ValueError, TypeError, IndexError, AttributeError, ArithmeticError, LookupError)


class XmlRpcFault(RpcFault, xmlrpc.client.Fault):
    """A fault: `code` and `message`, or `faultCode` and `faultString`."""

    def __init__(self, code: object, message: str) -> None:
        xmlrpc.client.Fault.__init__(self, code, message)  # type: ignore[arg-type]  # a server may send any value
        self.code = code
        self.message = message
        self.data = None

    __str__ = RpcFault.__str__

    def __repr__(self) -> str:
        return f"XmlRpcFault({self.code!r}, {self.message!r})"


def write_call(method: str, arguments: Sequence[object]) -> bytes:
    """A methodCall. Raises CallError for a name or a value that XML-RPC cannot carry."""
    if not _METHOD(method):
        raise CallError(f"{method!r} is not the name of an XML-RPC method")
    text = _write(method, tuple(arguments))
    head = f"<?xml version='1.0' encoding='utf-8'?>\n<methodCall>\n<methodName>{method}</methodName>\n"
    return f"{head}{text}</methodCall>\n".encode()


def write_response(value: object) -> bytes:
    """A methodResponse that carries `value`. Raises CallError."""
    head = "<?xml version='1.0' encoding='utf-8'?>\n<methodResponse>\n"
    return f"{head}{_write('the response', (value,))}</methodResponse>\n".encode()


def _write(what: str, values: tuple[object, ...]) -> str:
    try:
        return _Writer("utf-8", allow_none=True).dumps(values)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise CallError(f"{what}: a value cannot be sent by XML-RPC: {error}") from error


def write_multicall(calls: Sequence[tuple[str, Sequence[object]]]) -> bytes:
    """Several calls as one (system.multicall). Raises CallError."""
    return write_call("system.multicall", [[{"methodName": name, "params": list(args)} for name, args in calls]])


def read_response(content: bytes) -> object:
    """The value that a methodResponse carries. Raises XmlRpcFault for a fault, ReplyError when it is not a response."""
    reader = _Reader()
    try:
        values = reader.read(content)
    except xmlrpc.client.Fault as fault:
        raise XmlRpcFault(fault.faultCode, str(fault.faultString)) from None
    except expat.ExpatError as error:
        raise ReplyError(f"the response says that it is XML, and is not: {error}") from error
    except (xmlrpc.client.Error, *_BAD_VALUES) as error:
        raise ReplyError(f"the response is not an XML-RPC response: {error!r}") from error
    if len(values) != 1:
        raise ReplyError(f"the XML-RPC response has {len(values)} values, expected one")
    return values[0]


def read_multicall(content: bytes) -> list[object]:
    """The values of a system.multicall, in order; a call that failed has its XmlRpcFault there. Raises as
    `read_response`."""
    values = read_response(content)
    if not isinstance(values, list):
        raise ReplyError("the response to system.multicall is not a list")
    return [_of_multicall(value) for value in values]


def _of_multicall(value: object) -> object:
    if isinstance(value, dict) and "faultCode" in value:
        return XmlRpcFault(value["faultCode"], str(value.get("faultString", "")))
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    raise ReplyError("a value of the response to system.multicall is neither a list of one nor a fault")


# ---------------------------------------------------------------- writing

_Write = Callable[[str], Any]


class _Writer(xmlrpc.client.Marshaller):
    """Strict: what has no form raises, instead of becoming a struct of its attributes or XML that nobody can read."""

    dispatch: dict[Any, Any]  # filled below, with the methods


def _write_int(writer: _Writer, value: int, write: _Write) -> None:
    if not -_INT8 <= value < _INT8:
        raise ValueError(f"{value} has more than 64 bits")
    tag = "int" if -_INT4 <= value < _INT4 else "i8"
    write(f"<value><{tag}>{value}</{tag}></value>\n")


def _write_float(writer: _Writer, value: float, write: _Write) -> None:
    if not isfinite(value):
        raise ValueError(f"{value} is not a number there")
    write(f"<value><double>{value!r}</double></value>\n")


def _write_text(writer: _Writer, value: str, write: _Write) -> None:
    write(f"<value><string>{_escaped(value)}</string></value>\n")


def _write_date(writer: _Writer, value: datetime, write: _Write) -> None:
    """XML-RPC has no time zones: a time that has one is sent in UTC."""
    plain = value.astimezone(UTC) if value.tzinfo is not None else value
    write(f"<value><dateTime.iso8601>{plain:%Y%m%dT%H:%M:%S}</dateTime.iso8601></value>\n")


def _write_struct(writer: _Writer, value: Mapping[object, object], write: _Write) -> None:
    for name in value:
        if isinstance(name, str):
            _escaped(name)
    xmlrpc.client.Marshaller.dump_struct(writer, value, write)  # type: ignore[arg-type]


def _refuse(writer: _Writer, value: object, write: _Write) -> None:
    if isinstance(value, xmlrpc.client.DateTime | xmlrpc.client.Binary):
        xmlrpc.client.Marshaller.dump_instance(writer, value, write)
        return
    raise TypeError(f"a value of type {type(value).__name__} has no form there")


def _escaped(text: str) -> str:
    bad = _NOT_XML(text)
    if bad is not None:
        raise ValueError(f"text with the character U+{ord(bad[0]):04X}, which XML cannot carry; send it as bytes")
    # A reader makes a line feed of a bare carriage return (XML 1.0 section 2.11).
    return xmlrpc.client.escape(text).replace("\r", "&#13;")


_Writer.dispatch = {
    **xmlrpc.client.Marshaller.dispatch,
    int: _write_int,
    float: _write_float,
    str: _write_text,
    datetime: _write_date,
    dict: _write_struct,
    "_arbitrary_instance": _refuse,
}


# ---------------------------------------------------------------- reading


class _Values(xmlrpc.client.Unmarshaller):
    """With dates as servers write them: basic or extended, with a zone or without."""

    dispatch: dict[str, Any]


def _read_date(values: _Values, text: str) -> None:
    values.append(datetime.fromisoformat(text.strip()))


_Values.dispatch = {**xmlrpc.client.Unmarshaller.dispatch, "dateTime.iso8601": _read_date}


class _Reader:
    """One response."""

    def __init__(self) -> None:
        self._values = _Values(use_builtin_types=True)
        # No encoding: the parser gives text.
        self._values.xml(None, None)  # type: ignore[arg-type]
        self._depth = 0

    def read(self, content: bytes) -> tuple[object, ...]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._values.data
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.Parse(content, True)
        found: tuple[object, ...] = self._values.close()
        return found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag != "methodResponse":
            raise ReplyError(f"the response is not an XML-RPC response: it is <{tag:.40}>, expected <methodResponse>")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ReplyError(f"the XML-RPC response has more than {_MAX_DEPTH} elements in each other")
        self._values.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._values.end(tag)


def _refuse_doctype(*_: object) -> None:
    raise ReplyError("the response has a document type declaration, which is refused")
