"""Fixtures of upstream's tests."""

from tests.unit.upstream.scene import make_scene, scene

__all__ = ["make_scene", "scene"]
