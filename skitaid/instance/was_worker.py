"""What `was` is told about the worker it runs in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from skitaid.config.members import DATABASE_TYPES
from skitaid.instance.compose import Composition
from skitaid.instance.messages import say_restart, say_shutdown
from skitaid.supervisor.proc import rss_bytes
from skitaid.was.state_table import StateTable
from skitaid.was.states import registered_names
from skitaid.was.worker import Controls, Worker, install

__all__ = ["install_was"]

_FUNCTIONS: Final = str(Path(__file__).with_name("functions.py"))


def install_was(making: Composition, *, var_folder: Path, pipe_fd: int, states: StateTable) -> Worker:
    """On the loop thread, before the apps are loaded. `pipe_fd`: to the master."""
    instance = making.instance
    aliases = [each for each in instance.aliases.values() if each.type not in DATABASE_TYPES]
    worker = Worker(
        making.engine,
        lambda: making.upstreams if making.cached is None else making.cached,
        var_folder,
        _controls(making, pipe_fd),
        name=instance.name,
        aliases={each.name: len(each.members) for each in aliases},
        connect_s={each.name: each.connect_timeout_s for each in aliases},
        result_cache_max=instance.server.num_result_cache_max,
        states=states,
        figures=partial(_figures, making, time.time()),
        child_command=(sys.executable, _FUNCTIONS),
        child_setup=partial(_child_setup, making, var_folder, states),
        child_fds=(states.fd,),
    )
    install(worker)
    return worker


def _controls(making: Composition, pipe_fd: int) -> Controls:
    log = making.app_log
    return Controls(
        log=log.write,
        log_error=log.write_error,
        restart=partial(say_restart, pipe_fd),
        shutdown=partial(say_shutdown, pipe_fd),
    )


def _figures(making: Composition, since: float) -> Mapping[str, Any]:
    engine = making.engine
    threads = engine.threads
    return {
        "instance": making.instance.name,
        "process": os.getpid(),
        "uptime (s)": int(time.time() - since),
        "requests": engine.requests,
        "connections": engine.connection_count,
        "app threads": "none" if threads is None else f"{threads.busy} busy, {threads.waiting} requests wait",
        "memory (bytes)": rss_bytes(os.getpid()),
    }


def _child_setup(making: Composition, var_folder: Path, states: StateTable) -> Mapping[str, Any]:
    """See instance.functions."""
    return {
        "path": list(sys.path),
        "roots": making.loader.roots,
        "title": f"{making.instance.name} process",
        "var_folder": str(var_folder),
        "states_fd": states.fd,
        "state_names": registered_names(),
    }
