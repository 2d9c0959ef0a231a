"""Fixtures of the engine's tests."""

from tests.unit.engine.rig import make_rig, rig

__all__ = ["make_rig", "rig"]
