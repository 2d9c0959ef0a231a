"""The cron agent with a clock that is ahead by `--ahead S` seconds, so that no test waits for a minute to end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from skitaid.agents.arguments import Arguments
from skitaid.agents.cron.agent import CronAgent
from skitaid.agents.frame import run_agent


def main() -> int:
    etc, ahead_s = sys.argv[1], float(sys.argv[2])
    return run_agent(
        Arguments("cron", Path(etc)), lambda frame, conf: CronAgent(frame, conf, lambda: time.time() + ahead_s)
    )


if __name__ == "__main__":
    sys.exit(main())
