"""What apps see of the server that runs them: `from skitaid import was`.

The module is the object: `was.get`, `was.Tasks` and so on are found in skitaid.was.services and imported when first
asked for, what belongs to the request that is being answered (`was.env`, `was.request`) in skitaid.was.context.

No module of this package may have the name of a service: importing it would put it in the service's place.
"""

from __future__ import annotations

from typing import Any

from skitaid.was import services

__all__ = ["services"]


def __getattr__(name: str) -> Any:
    """A service. Raises AttributeError for a name that is none, NoRequestError for one that needs a request when there
    is none."""
    if name in services.SERVICES:
        found = globals()[name] = services.load(name)
        return found
    if name.startswith("__"):
        # The import machinery asks for such names.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return services.of_request(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *services.SERVICES, *services.OF_REQUEST})
