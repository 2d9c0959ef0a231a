"""What a job prints: lines for the log, and its beginning for a mail. Bounded, whatever a job writes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Output"]

LINE_MAX_BYTES = 8 * 1024
"""A longer line is broken."""
TOTAL_MAX_BYTES = 8 * 1024 * 1024
"""What one run may write to the log, counted with what stands before each line there."""
STAMP_BYTES = 32
"""What stands before a line there, at least: date, time, kind."""
KEPT_MAX_BYTES = 256 * 1024


class Output:
    """Bytes in, lines out. `dropped_bytes`: beyond what one run may print."""

    def __init__(self, *, keep: bool = False) -> None:
        self.dropped_bytes = 0
        self._keep = keep
        self._kept = bytearray()
        self._rest = b""
        self._total = 0
        self._stamps = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete by now, without their ends."""
        taken = data[: max(0, TOTAL_MAX_BYTES - self._total - self._stamps)]
        self._total += len(taken)
        self._stamps += STAMP_BYTES * taken.count(b"\n")
        self.dropped_bytes += len(data) - len(taken)
        if self._keep:
            self._kept += taken[: KEPT_MAX_BYTES - len(self._kept)]
        *lines, self._rest = (self._rest + taken).split(b"\n")
        found = [piece for line in lines for piece in _pieces(line)]
        while len(self._rest) > LINE_MAX_BYTES:
            end = _end_of_piece(self._rest, 0)
            found.append(_text(self._rest[:end]))
            self._rest = self._rest[end:]
        return found

    def finish(self) -> list[str]:
        """What has no end of line yet."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []

    @property
    def is_empty(self) -> bool:
        return not self._total

    @property
    def kept(self) -> str:
        """The first 256 KB, if they were to be kept."""
        more = "\n... and more: see cron.log\n" if len(self._kept) < self._total else ""
        return self._kept.decode("utf-8", "replace") + more


def _pieces(line: bytes) -> Iterator[str]:
    at = 0
    while at < len(line) or not at:
        end = _end_of_piece(line, at)
        yield _text(line[at:end])
        at = end


def _end_of_piece(line: bytes, start: int) -> int:
    """Where to break it: not within a character of UTF-8, whose other bytes are 10xxxxxx (RFC 3629, section 3)."""
    end = start + LINE_MAX_BYTES
    if end >= len(line):
        return end
    return next((at for at in range(end, end - 4, -1) if line[at] & 0xC0 != 0x80), end)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
