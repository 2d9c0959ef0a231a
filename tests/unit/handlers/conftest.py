"""Fixtures of the handlers' tests: an engine turned by hand."""

from tests.unit.engine.rig import make_rig, rig

__all__ = ["make_rig", "rig"]
