"""What doctor found out about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a finding is."""

    FINE = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that doctor found out. `subject` is what was looked at, `text` what was found, `fix` what to do, ""
    when nothing needs doing."""

    level: Level
    subject: str
    text: str
    fix: str = ""


def fine(subject: str, text: str) -> Finding:
    return Finding(Level.FINE, subject, text)


def warning(subject: str, text: str, fix: str) -> Finding:
    return Finding(Level.WARNING, subject, text, fix)


def wrong(subject: str, text: str, fix: str) -> Finding:
    return Finding(Level.WRONG, subject, text, fix)
