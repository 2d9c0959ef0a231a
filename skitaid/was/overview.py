"""`was.status()`: a page of HTML about the worker and its surroundings."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from html import escape

from skitaid import __version__
from skitaid.was.context import bound_request
from skitaid.was.worker import Worker, current_worker

__all__ = ["status"]

# Whoever reads the page shall not learn how to get in.
_SECRET = ("PASS", "SECRET", "TOKEN", "KEY", "AUTH", "COOKIE", "CREDENTIAL")


def status() -> str:
    """For an app to return, to people who may see it: figures of this worker, kept results, states, its environment and
    the request. What looks like a secret by its name is not shown. Raises NoWorkerError."""
    worker = current_worker()
    sections = {
        "Worker": worker.figures(),
        "Calls": _calls(worker),
        "States": {} if worker.states is None else {name: worker.states.value(name) for name in worker.states.names()},
        "Request": _request(),
        "Environment": dict(sorted(os.environ.items())),
        "Python": {"version": sys.version, "platform": platform.platform(), "executable": sys.executable},
    }
    tables = "\n".join(_table(title, rows.items()) for title, rows in sections.items() if rows)
    head = f"<title>{escape(worker.name)} - skitaid {__version__}</title>"
    return f'<!doctype html>\n<html><head><meta charset="utf-8">{head}</head>\n<body>\n{tables}\n</body></html>\n'


def _calls(worker: Worker) -> Mapping[str, object]:
    cache = worker.result_cache
    kept = "none" if cache is None else f"{len(cache)} of {worker.result_cache_max}, {cache.size} bytes"
    aliases = ", ".join(f"@{name} ({count})" for name, count in sorted(worker.aliases.items()))
    return {"under way": worker.calls, "results kept": kept, "aliases (members)": aliases or "none"}


def _request() -> Mapping[str, object]:
    bound = bound_request()
    if bound is None:
        return {}
    environ = bound.environ
    return {"time": time.strftime("%Y-%m-%d %H:%M:%S"), **{str(name): value for name, value in environ.items()}}


def _table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    lines = "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(_shown(name, value))}</td></tr>" for name, value in rows)
    return f"<h2>{escape(title)}</h2>\n<table>\n{lines}\n</table>"


def _shown(name: str, value: object) -> str:
    if any(word in name.upper() for word in _SECRET):
        return "…"
    if name == "headers" and isinstance(value, list):
        return ", ".join(each[0].decode("latin-1") for each in value)
    return str(value)
