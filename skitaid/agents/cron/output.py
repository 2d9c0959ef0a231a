"""What a job prints: lines for the log, and its beginning for a mail. Bounded, whatever a job writes. Pure."""

from __future__ import annotations

__all__ = ["Output"]

LINE_MAX_BYTES = 8 * 1024
"""A longer line is broken."""
TOTAL_MAX_BYTES = 8 * 1024 * 1024
"""What one run may write to the log."""
KEPT_MAX_BYTES = 256 * 1024


class Output:
    """Bytes in, lines out. `dropped_bytes`: beyond what one run may print."""

    def __init__(self, *, keep: bool = False) -> None:
        self.dropped_bytes = 0
        self._keep = keep
        self._kept = bytearray()
        self._rest = b""
        self._total = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete by now, without their ends."""
        taken = data[: max(0, TOTAL_MAX_BYTES - self._total)]
        self._total += len(taken)
        self.dropped_bytes += len(data) - len(taken)
        if self._keep:
            self._kept += taken[: KEPT_MAX_BYTES - len(self._kept)]
        *lines, self._rest = (self._rest + taken).split(b"\n")
        found = [piece for line in lines for piece in _pieces(line)]
        while len(self._rest) > LINE_MAX_BYTES:
            found.append(_text(self._rest[:LINE_MAX_BYTES]))
            self._rest = self._rest[LINE_MAX_BYTES:]
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


def _pieces(line: bytes) -> list[str]:
    return [_text(line[at : at + LINE_MAX_BYTES]) for at in range(0, len(line) or 1, LINE_MAX_BYTES)]


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
