"""The app object."""

from __future__ import annotations

from skitaid.atila.protecting import Protecting
from skitaid.atila.templating import Templating

__all__ = ["Atila", "Saddle"]


class Atila(Protecting, Templating):
    """An app: a WSGI callable that is configured by attributes and decorators."""

    def __init__(self, app_name: str) -> None:
        Protecting.__init__(self)
        Templating.__init__(self)
        self.app_name = app_name


Saddle = Atila
"""The name in the documents before 0.26."""
