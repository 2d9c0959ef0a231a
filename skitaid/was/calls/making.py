"""An app's words (`url, data, auth, headers, …`) made into an Ask: which body, which content type, which target. Pure,
but for the files of an upload, which are opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from skitaid.was.calls.asking import Ask, Terms
from skitaid.was.messages.authorization import Credentials, Given, Login, read_auth
from skitaid.was.messages.content_types import RequestType, media_type
from skitaid.was.messages.encoding import encode_body, encode_query
from skitaid.was.messages.errors import CallError
from skitaid.was.messages.fields import Fields, GivenHeaders, read_headers, value_of, without
from skitaid.was.messages.streamed import StreamedBody, piece_of
from skitaid.was.messages.target import Target, parse_target

__all__ = ["Words", "make_ask", "terms_of"]

_MULTIPART: Final = "multipart/form-data"
# Data of these goes into the query. DELETE and OPTIONS may have a body (RFC 9110 section 9.3), but few servers read it:
# they are sent one only where the app names its Content-Type.
_QUERIED: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
_NEVER_BODY: Final = frozenset({"GET", "HEAD", "TRACE"})


@dataclass(frozen=True, slots=True)
class Words:
    """What an app wrote in a call."""

    url: str
    data: object = None
    auth: Given = None
    headers: GivenHeaders = None
    use_cache: bool | float | None = None
    timeout: float | None = None


def make_ask(method: str, words: Words, kind: RequestType, *, is_upload: bool = False) -> Ask:
    """The request that the words mean. `kind`: content type of the data and Accept, where the headers say nothing.
    Raises CallError; OSError for a file that can't be read."""
    target = parse_target(_text(words.url))
    fields = read_headers(words.headers)
    credentials = _credentials(words, target)
    if target.user is not None:
        target = replace(target, user=None, password=None)
    body: bytes | StreamedBody = b""
    if words.data is not None:
        if is_upload or not _goes_into_query(method, fields):
            content_type = _MULTIPART if is_upload else _content_type(fields, kind)
            body, content_type = _body(words.data, content_type)
            fields = (*without(fields, b"content-type"), (b"content-type", content_type.encode("latin-1")))
        else:
            target = target.with_query(_query(words.data))
    if value_of(fields, b"accept") is None:
        fields = (*fields, (b"accept", _ascii(kind.accept)))
    return Ask(method, target, fields, body, credentials, terms_of(words))


def terms_of(words: Words) -> Terms:
    """What the words say of how the request is made. Raises CallError for numbers that are none."""
    timeout = words.timeout
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise CallError(f"timeout: found {timeout!r}, expected seconds, more than none")
    if not isinstance(words.use_cache, bool | int | float | None):
        raise CallError(f"use_cache: found {words.use_cache!r}, expected True, False, or a time as was.getlu gives it")
    return Terms(use_cache=words.use_cache, timeout_s=timeout)


def _text(url: object) -> str:
    if isinstance(url, str):
        return url
    raise CallError(f"url: found {url!r:.100}, expected a text such as 'http://host/path' or '@alias/path'")


def _credentials(words: Words, target: Target) -> Credentials | None:
    """Those given with the call, else those of the URL."""
    given = read_auth(words.auth)
    if given is None and target.user is not None:
        return Login(target.user, target.password or "")
    return given


def _goes_into_query(method: str, fields: Fields) -> bool:
    return method in _NEVER_BODY or (method in _QUERIED and value_of(fields, b"content-type") is None)


def _query(data: object) -> str:
    """What stands in it as an app wrote it is encoded where it must be."""
    return parse_target("http://query/?" + encode_query(data)).path[2:]


def _content_type(fields: Fields, kind: RequestType) -> str:
    given = value_of(fields, b"content-type")
    return kind.content if given is None else given.decode("latin-1")


def _body(data: object, content_type: str) -> tuple[bytes | StreamedBody, str]:
    """The body, and its content type, which a multipart body completes."""
    if media_type(content_type) == _MULTIPART and not isinstance(data, bytes | str):
        from skitaid.was.messages.multipart import make_multipart

        body = make_multipart(data)
        return body, body.content_type
    if hasattr(data, "read"):
        return StreamedBody(content_type, (piece_of(data),)), content_type
    return encode_body(data, content_type), content_type


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")
