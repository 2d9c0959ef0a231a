"""What an app says about its templates: part of skitaid.atila.app.Atila."""

from __future__ import annotations

__all__ = ["Templating"]


class Templating:
    """Filters, globals and the environment of templates: attributes and decorators of an app."""
