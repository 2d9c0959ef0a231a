"""bench URL: many requests to a site, and how many it answers a second, how quickly, and with what.

The requests are made by aquests in a process of its own (cli.bench_client).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, out, out_style
from skitaid.cli.style import Style, Tone
from skitaid.exceptions import RefusedError

MAX_SECONDS = 300
"""However slow the site is: then it ends with what came until then."""
BUSY_CLIENT = 0.9
"""A share of one core from which on the client, not the site, may be what is measured."""

_CLIENT = Path(__file__).with_name("bench_client.py")


def run(session: Session) -> int:
    options = session.options
    url = checked_url(options.argument)
    if options.name is not None:
        raise UsageError("bench is for a URL, not for an instance; leave -f out")
    if find_spec("aquests") is None:
        raise RefusedError("bench needs the package aquests, which this Python lacks: pip install aquests")
    figures = measured(url, options.requests, options.concurrency)
    style = out_style()
    out(f"{url}: {options.requests:,} requests, {options.concurrency} at a time")
    for line in report(figures, style):
        out(line)
    return 0 if figures["answered"] == figures["requests"] else 1


def checked_url(text: str | None) -> str:
    """`text`, if it is a URL of HTTP. Raises UsageError."""
    if text is None:
        raise UsageError("bench which URL? e.g. bench http://127.0.0.1:5000/ -n 1000 -c 10")
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error
    if not is_url or not text.isprintable() or " " in text:
        raise UsageError(f"{text}: expected a URL such as http://127.0.0.1:5000/")
    return text


def measured(url: str, requests: int, concurrency: int) -> dict[str, Any]:
    """What the client tells. Raises RefusedError when it tells nothing."""
    # -P: the folder of this file is no place to import from, its modules have names that others have too.
    command = [sys.executable, "-P", str(_CLIENT), url, str(requests), str(concurrency), str(MAX_SECONDS)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS + 60, check=False)
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"the client did not end within {MAX_SECONDS + 60} s") from error
    lines = found.stdout.splitlines()
    if found.returncode or not lines:
        reason = (found.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise RefusedError(f"{url}: the requests could not be made: {reason}")
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def report(figures: Mapping[str, Any], style: Style) -> list[str]:
    """The figures, a line each."""
    seconds, answered = figures["seconds"], figures["answered"]
    latency = "  ".join(f"{name} {1000 * value:.1f} ms" for name, value in figures["latency"].items())
    rows = [
        ("requests/s", f"{answered / seconds:,.0f}" if seconds else "-"),
        ("duration", f"{seconds:.2f} s" + (", cut short" if figures["is_cut_short"] else "")),
        ("latency", latency if answered else "-"),
        ("statuses", _counted(figures["statuses"]) or "none"),
    ]
    if figures["bytes"] is not None:
        rows.append(("received", f"{figures['bytes']:,} bytes of bodies"))
    rows.append(("client", f"{100 * figures['client_cpu']:.0f} % of one core"))
    lines = [f"  {name:<12}{text}" for name, text in rows]
    if figures["failures"]:
        lines.append(style.paint(f"  {'failures':<12}{_counted(figures['failures'])}", Tone.BAD))
    if figures["unanswered"]:
        lines.append(style.paint(f"  {'unanswered':<12}{figures['unanswered']:,}", Tone.BAD))
    return lines + _notes(figures)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))


def _notes(figures: Mapping[str, Any]) -> list[str]:
    if figures["client_cpu"] < BUSY_CLIENT or not figures["answered"]:
        return []
    return ["  the client itself was busy all the time: the site may be quicker than this"]
