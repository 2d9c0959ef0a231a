"""Fixtures of the handlers' tests: an engine turned by hand."""

from tests.unit.engine.rig import make_rig, rig
from tests.unit.engine.tls_rig import authority, client_context, server_context, server_files, site
from tests.unit.handlers.proxy.rig import make_proxy_rig, proxied

__all__ = [
    "authority", "client_context", "make_proxy_rig", "make_rig", "proxied", "rig", "server_context",
    "server_files", "site",
]  # fmt: skip
