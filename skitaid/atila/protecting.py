"""What an app says about who may ask what of it: part of skitaid.atila.app.Atila."""

from __future__ import annotations

__all__ = ["Protecting"]


class Protecting:
    """Users, login, permissions, tokens: attributes and decorators of an app."""

    def __init__(self) -> None:
        self.securekey: str | None = None
        self.session_timeout: float | None = None
