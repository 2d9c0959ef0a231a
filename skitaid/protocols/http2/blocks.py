"""Header blocks (RFC 7541) to fields and heads.

What a block means depends on the dynamic table, which other blocks change. So a connection keeps what its blocks meant
for as long as its table stays as it is: most clients change it with their first requests and never again. A head that
is kept costs 0.1 µs, another one some 20.
"""

from __future__ import annotations

from typing import Final

from hpack import Decoder, OversizedHeaderListError
from hpack.exceptions import HPACKError
from hpack.table import HeaderTable

from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode
from skitaid.protocols.http2.head import Field, request_head

__all__ = ["BlockReader"]

_MAX_KEPT: Final = 32
"""Blocks of one connection. What they mean is mostly shared with other connections."""
_MAX_KEPT_BYTES: Final = 512


class _Table(HeaderTable):
    """Counts how often it was changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.fset(self, newmax)  # type: ignore[attr-defined]


class BlockReader:
    """The blocks of one connection, in the order in which they came: leaving one out would make all after it wrong."""

    __slots__ = ("_decoder", "_is_connect_enabled", "_kept", "_table")

    def __init__(self, max_list_bytes: int, *, is_connect_enabled: bool = False) -> None:
        self._table = _Table()
        self._decoder = Decoder(max_list_bytes)
        self._decoder.header_table = self._table
        self._is_connect_enabled = is_connect_enabled
        self._kept: dict[tuple[bytes, bool], RequestHead] = {}

    def fields(self, block: bytes) -> list[Field]:
        """The fields of a block. Raises ConnectionFault: after that nobody knows what the table holds."""
        return self._read(block)[0]

    def _read(self, block: bytes) -> tuple[list[Field], bool]:
        """The fields, and whether the table is as it was."""
        before = self._table.changes
        fields = self._decode(block)
        is_stable = self._table.changes == before
        if not is_stable:
            self._kept.clear()
        return fields, is_stable

    def _decode(self, block: bytes) -> list[Field]:
        try:
            return self._decoder.decode(block, raw=True)  # type: ignore[return-value]  # raw ones are bytes
        except OversizedHeaderListError as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a head is longer than MAX_HEADER_LIST_SIZE") from error
        except (HPACKError, IndexError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "a header block can't be read") from error

    def head(self, block: bytes, *, is_ended: bool) -> RequestHead:
        """The request head that a block is. Raises ConnectionFault, and what `request_head` does."""
        head = self._kept.get((block, is_ended))
        if head is not None:
            return head
        fields, is_stable = self._read(block)
        head = request_head(fields, is_ended=is_ended, is_connect_enabled=self._is_connect_enabled)
        if is_stable and len(block) <= _MAX_KEPT_BYTES:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[block, is_ended] = head
        return head
