"""The real supervisor with the fake master: `ETC [NAME…]`, in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from skitaid.supervisor.supervisor import Settings, run

ready_fd = os.environ.pop("READY_FD", None)
settings = Settings(
    Path(sys.argv[1]),
    only=tuple(sys.argv[2:]),
    boot=Path(__file__).with_name("master.py"),
    ready_fd=int(ready_fd) if ready_fd else None,
)
sys.exit(run(settings))
