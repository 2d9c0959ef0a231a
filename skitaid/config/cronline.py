"""Is a line of `[crontab:line]` one that cron can keep? (POSIX.1-2017, crontab.)"""

from __future__ import annotations

from skitaid.config.cronexpression import FIELD_COUNT, REBOOT, parse_expression
from skitaid.config.report import UnfitError

__all__ = ["check_cron_line"]


def check_cron_line(line: str) -> None:
    """Raises UnfitError for a line that is no `minute hour day month weekday command`."""
    if line.startswith("@"):
        _check_macro(line)
        return
    words = line.split(None, FIELD_COUNT)
    if len(words) <= FIELD_COUNT:
        expected = "expected minute hour day month weekday command"
        raise UnfitError(f"{line!r} is too short: {expected}", "such as */5 * * * * /path/command")
    parse_expression(" ".join(words[:FIELD_COUNT]))


def _check_macro(line: str) -> None:
    macro, _, command = line.partition(" ")
    if macro != REBOOT:
        parse_expression(macro)
    if not command.strip():
        raise UnfitError(f"{macro} has no command after it", f"{macro} /path/command")
