"""A response as it is kept, in memory and on disk."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from skitaid.protocols.conditions import Validators
from skitaid.protocols.dates import parse_http_date
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.cache.asked import join
from skitaid.upstream.cache.freshness import Moments, Policy, policy_of
from skitaid.upstream.cache.generations import place_of
from skitaid.upstream.cache.vary import Variant

__all__ = ["Marker", "Origin", "Pairs", "Stored", "decode", "encode", "encode_marker"]

Pairs = tuple[tuple[bytes, bytes], ...]

_ENTRY_BYTES: Final = 1500
"""What Python needs for a response beside its bytes, measured."""
_FIELD_BYTES: Final = 250
_HEAD: Final = struct.Struct("<8sIQI")
_MAGIC: Final = b"skitaid1"
_OWN_FIELDS: Final = frozenset({
    b"forwarded", b"host", b"via", b"x-real-ip", b"x-gtxn-id", b"x-ltxn-id", b"connection",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose response it is: the key of the target, the variant, and the generation (see generations) of the key when
    it was asked for."""

    key: bytes
    variant: Variant = ()
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Marker:
    """What stands on disk in a response's place where there are several: the fields that tell them apart."""

    key: bytes
    names: tuple[bytes, ...]
    generation: int


class Stored:
    """A complete response. Immutable, but for `prepared`, where whoever sends it keeps what it made of it, `retry_at`:
    no attempt to refresh it is made before, and `touched_at`, for the store. `made_at`: when it was made, by
    its age. `place`: of its key, see generations.

    `fields` are those that are kept, a Date among them. `is_direct`: which response
    it is for depends on nothing that a proxy adds to a request."""

    __slots__ = (
        "body", "fields", "fresh_until", "head", "is_direct", "made_at", "moments", "origin", "place",
        "policy", "prepared", "retry_at", "size", "touched_at", "validators",
    )  # fmt: skip

    def __init__(self, origin: Origin, line: tuple[int, bytes], fields: Pairs, body: bytes, moments: Moments) -> None:
        status, reason = line
        values = join(fields)
        self.origin = origin
        self.fields = fields
        self.body = body
        self.moments = moments
        self.policy: Policy = policy_of(status, values, moments)
        self.fresh_until = self.policy.fresh_until
        modified = values.get(b"last-modified")
        self.validators = Validators(
            values.get(b"etag"), None if modified is None else parse_http_date(modified.decode("latin-1"))
        )
        lines = [FieldLine(name, value) for name, value in fields]
        self.head = ResponseHead(status, reason, ResponseFields(lines), content_length=len(body))
        self.prepared: dict[Hashable, object] = {}
        self.retry_at = self.touched_at = 0.0
        self.made_at = self.policy.received_at - self.policy.initial_age_s
        self.place = place_of(origin.key)
        self.is_direct = not any(_is_proxys(name) for name, _ in origin.variant)
        text = len(origin.key) + sum(len(name) + len(value) for name, value in fields)
        self.size = _ENTRY_BYTES + len(body) + 2 * text + _FIELD_BYTES * len(fields)

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def has_validators(self) -> bool:
        """Whether its server can be asked if it still holds."""
        return self.validators.etag is not None or self.validators.modified is not None

    def with_fields(self, fields: Pairs, moments: Moments, generation: int) -> Stored:
        """The same response after its server said that it still holds."""
        origin = Origin(self.origin.key, self.origin.variant, generation)
        return Stored(origin, (self.head.status, self.head.reason), fields, self.body, moments)


def _is_proxys(name: bytes) -> bool:
    return name in _OWN_FIELDS or name.startswith((b"x-forwarded-", b"x-gateway-"))


# ---------------------------------------------------------------- on disk


def encode(stored: Stored) -> bytes:
    """A file's content. The sum at its head tells whether all of it got there."""
    origin, moments = stored.origin, stored.moments
    told = {
        "key": _text(origin.key), "generation": origin.generation,
        "variant": [[_text(name), None if value is None else _text(value)] for name, value in origin.variant],
        "status": stored.head.status, "reason": _text(stored.head.reason),
        "fields": [[_text(name), _text(value)] for name, value in stored.fields],
        "moments": [moments.requested_at, moments.received_at, moments.has_query, moments.told_age_s],
    }  # fmt: skip
    return _pack(told, stored.body)


def encode_marker(marker: Marker) -> bytes:
    return _pack({"key": _text(marker.key), "generation": marker.generation, "names": [*map(_text, marker.names)]}, b"")


def decode(data: bytes) -> Stored | Marker | None:
    """What a file holds; None for one that is not whole, or not ours."""
    if len(data) < _HEAD.size:
        return None
    magic, told_bytes, body_bytes, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEAD.size + told_bytes + body_bytes:
        return None
    if zlib.crc32(memoryview(data)[_HEAD.size :]) != checksum:
        return None
    end = _HEAD.size + told_bytes
    told = json.loads(data[_HEAD.size : end])
    key, generation = _bytes(told["key"]), told["generation"]
    if "names" in told:
        return Marker(key, tuple(_bytes(name) for name in told["names"]), generation)
    variant = tuple((_bytes(name), None if value is None else _bytes(value)) for name, value in told["variant"])
    fields = tuple((_bytes(name), _bytes(value)) for name, value in told["fields"])
    line = (told["status"], _bytes(told["reason"]))
    return Stored(Origin(key, variant, generation), line, fields, data[end:], Moments(*told["moments"]))


def _pack(told: dict[str, object], body: bytes) -> bytes:
    text = json.dumps(told, separators=(",", ":")).encode("ascii")
    checksum = zlib.crc32(body, zlib.crc32(text))
    return b"".join((_HEAD.pack(_MAGIC, len(text), len(body), checksum), text, body))


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _bytes(value: str) -> bytes:
    return value.encode("latin-1")
