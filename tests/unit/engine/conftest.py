"""Fixtures of the engine's tests."""

from tests.unit.engine.rig import make_rig, rig
from tests.unit.engine.tls_rig import authority, client_context, server_context, server_files, site

__all__ = ["authority", "client_context", "make_rig", "rig", "server_context", "server_files", "site"]
