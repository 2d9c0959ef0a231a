"""Colours, on a terminal only. The one place that knows where colour codes come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TextIO


class Tone(Enum):
    """What a piece of text is, not which colour it has."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    FAINT = "faint"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Style:
    """Escape sequence of each tone; a tone that is absent is printed plain."""

    codes: Mapping[Tone, str]
    end: str = ""

    def paint(self, text: str, tone: Tone) -> str:
        code = self.codes.get(tone)
        return f"{code}{text}{self.end}" if code else text


PLAIN = Style({})


def style_for(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Style:
    """Colours when `stream` is a terminal that can show them and the user does not refuse them (no-color.org)."""
    if not stream.isatty() or environ.get("NO_COLOR") or environ.get("TERM", "dumb") == "dumb":
        return PLAIN
    return _terminal()


def _terminal() -> Style:
    try:
        from rs4.termcolor import tc  # 10 ms, and not needed to be of use: plain text without it
    except ImportError:
        return PLAIN
    codes = {
        Tone.GOOD: tc.OKGREEN,
        Tone.WARNING: tc.WARNING,
        Tone.BAD: tc.FAIL,
        Tone.FAINT: tc.GREY,
        Tone.STRONG: tc.BOLD,
    }
    return Style(codes, tc.ENDC)
