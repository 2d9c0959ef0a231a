"""What `status` answers: the daemon, each instance with its workers, each agent. Read only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from skitaid import __version__
from skitaid.supervisor.master import Master
from skitaid.supervisor.proc import rss_bytes
from skitaid.supervisor.scoreboard import SlotView
from skitaid.supervisor.states import State
from skitaid.supervisor.unit import Unit

__all__ = ["agent_figures", "daemon_figures", "figures_of", "instance_figures"]


def daemon_figures(started_s: float) -> dict[str, Any]:
    """`started_s` in wall time."""
    return {
        "pid": os.getpid(),
        "uptime_s": _age(started_s),
        "version": __version__,
        "rss_bytes": rss_bytes(os.getpid()),
    }


def figures_of(units: Iterable[Unit]) -> dict[str, Any]:
    """`instances` and `agents`."""
    units = list(units)
    return {
        "instances": [instance_figures(unit) for unit in units if not unit.is_agent],
        "agents": [agent_figures(unit) for unit in units if unit.is_agent],
    }


def agent_figures(unit: Unit) -> dict[str, Any]:
    """An agent, as an object of JSON."""
    process = unit.process
    return {
        "name": unit.name,
        "state": unit.state.value,
        "pid": process.pid,
        "uptime_s": _age(unit.since) if unit.state is State.RUNNING else None,
        "restarts": process.restarts,
        "since": unit.since,
        "reason": process.reason,
        "fix": process.fix,
        "note": unit.note,
        "counts": dict(unit.counts),
        "rss_bytes": rss_bytes(process.pid) if process.pid else 0,
    }


def instance_figures(unit: Unit) -> dict[str, Any]:
    """An instance with its workers, as an object of JSON."""
    views = unit.workers
    process = unit.process
    return {
        "name": unit.name,
        "state": unit.state.value,
        "pid": process.pid,
        "address": ", ".join(unit.addresses) or None,
        "uptime_s": _age(unit.since) if unit.state is State.RUNNING else None,
        "restarts": process.restarts,
        "workers": _workers(views),
        "since": unit.since,
        "reason": process.reason,
        "fix": process.fix,
        "requests_per_s": round(unit.rates.per_second, 2),
        "connections": sum(view.connections for view in views),
        "workers_replaced": unit.workers_replaced,
        "rss_bytes": rss_bytes(process.pid) if process.pid else 0,
        "problems": [str(problem) for problem in unit.problems],
        "unserved": list(unit.unserved) if unit.state is State.RUNNING else [],
        "leaving": [_leaving(master, kill_at) for master, kill_at in unit.restart.leavers],
    }


def _leaving(master: Master, kill_at: float) -> dict[str, Any]:
    """A master beside the one that serves, with what its workers have in flight."""
    views = master.workers
    return {
        "pid": master.pid,
        "connections": sum(view.connections for view in views),
        "rss_bytes": rss_bytes(master.pid) + sum(view.rss_bytes for view in views),
        "left_s": round(max(0.0, kill_at - time.monotonic()), 1),
    }


def _workers(views: Iterable[SlotView]) -> list[dict[str, Any]]:
    views = sorted(views, key=lambda view: (view.number, view.started_s))
    return [
        {
            "id": view.number,
            "pid": view.pid,
            "state": view.state.name.lower(),
            "requests": view.requests,
            "connections": view.connections,
            "rss_bytes": view.rss_bytes,
            "uptime_s": _age(view.started_s) if view.started_s else None,
        }
        for view in views
    ]


def _age(since_s: float) -> float:
    return round(max(0.0, time.time() - since_s), 1)
