"""What an app set for all of its calls: `app.config.default_request_type`."""

from __future__ import annotations

from collections.abc import Mapping

from skitaid.was.context import app_config
from skitaid.was.messages.content_types import JSON, RequestType, read_type

__all__ = ["default_type"]


def default_type() -> RequestType:
    """That of the app that is answering a request here, else JSON. Raises CallError for a setting that is none."""
    config = app_config()
    if config is None:
        return JSON
    found = getattr(config, "default_request_type", None)
    return read_type(config.get("default_request_type") if found is None and isinstance(config, Mapping) else found)
