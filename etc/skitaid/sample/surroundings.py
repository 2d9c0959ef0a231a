"""What skitaid tells its apps about where they run, from environment variables.

Each is None when the app was not started by skitaid; the sample then says so in place of what it would show.
"""

from __future__ import annotations

import os
from pathlib import Path


def instance_name() -> str | None:
    """SKITAID_INSTANCE: the name of the conf file that serves this app, without its ending."""
    return os.environ.get("SKITAID_INSTANCE") or None


def conf_file() -> Path | None:
    """The conf file that serves this app."""
    etc, name = _folder("SKITAID_ETC"), instance_name()
    return etc / "servers-enabled" / f"{name}.conf" if etc and name else None


def log_folder() -> Path | None:
    """SKITAID_LOG_PATH: server.log, request.log, app.log and stderr.log are in it."""
    return _folder("SKITAID_LOG_PATH")


def data_folder() -> Path | None:
    """SKITAID_VAR_PATH: where this instance's apps may write."""
    return _folder("SKITAID_VAR_PATH")


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
