"""What a conf may ask for already, but this release does not serve yet. A parsed conf stays a good conf: only running
it is refused.
"""

from __future__ import annotations

from skitaid.config.model import Instance
from skitaid.exceptions import Problem

__all__ = ["unserved"]


def unserved(instance: Instance) -> list[Problem]:
    """An error for each thing that it would be unsafe to serve without."""
    path = str(instance.path)
    problems = []
    if instance.server.tls is not None:
        text = "ssl = yes: TLS is not served by this release, and the site must not go out in the clear"
        problems.append(Problem(path, 0, text, "set ssl = no and put a TLS proxy in front"))
    return problems
