from __future__ import annotations

import pytest

from skitaid.protocols.hosts import uri_host


@pytest.mark.parametrize(
    ("host", "written"),
    [("app.test", "app.test"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("fe80::1%eth0", "[fe80::1%eth0]")],
)
def test_only_ipv6_stands_in_brackets(host: str, written: str) -> None:
    assert uri_host(host) == written
