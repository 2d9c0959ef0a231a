"""The mail agent."""

from __future__ import annotations

from skitaid.agents.arguments import Arguments
from skitaid.agents.frame import Agent, run_agent

__all__ = ["run"]


def run(arguments: Arguments) -> int:
    """Run until told to stop; the exit code."""
    return run_agent(arguments, lambda frame, main: Agent())
