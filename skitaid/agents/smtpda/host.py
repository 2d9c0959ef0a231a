"""What this machine calls itself in mail."""

from __future__ import annotations

import os
import re

__all__ = ["host_name"]


def host_name() -> str:
    """Its name, as it stands for a domain; no question goes to the DNS, which might not answer."""
    name = os.uname().nodename
    return name if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name, re.ASCII) else "localhost"
