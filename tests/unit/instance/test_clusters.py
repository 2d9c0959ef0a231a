"""From the aliases of a conf to clusters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skitaid.config.model import Alias, Balance, Instance, Member, ProxyTarget, Server
from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Router
from skitaid.handlers.site import Site
from skitaid.instance.clusters import cluster_settings, make_upstreams
from skitaid.instance.proxies import proxy_settings
from skitaid.upstream import selection
from skitaid.upstream.settings import CheckSettings, HttpVersion, MemberSettings, TlsSettings
from skitaid.upstream.upstreams import NoClusterError


def test_the_default() -> None:
    settings = cluster_settings(Alias("a", members=(Member("one"), Member("two", 8080, weight=3))), Server())
    assert settings.members == (MemberSettings("one", 80), MemberSettings("two", 8080, weight=3))
    assert (settings.tls, settings.tries, settings.pool.keep_alive_s) == (None, 2, 10.0)
    assert settings.balance is selection.Balance.ROUND_ROBIN


def test_everything_said() -> None:
    alias = Alias(
        "a", "https", (Member("", path="/run/a.sock"), Member("one")), ssl=True, verify=False, ca=Path("/ca.pem"),
        balance=Balance("hash", header="x-user"), protocol="http2", connect_timeout_s=1.0, response_timeout_s=2.0,
        total_timeout_s=3.0, max_connections=4, keep_alive_s=5.0, max_age_s=6.0, fails=7, eject_s=8.0, eject_max_s=9.0,
        retries=0,
    )  # fmt: skip
    settings = cluster_settings(alias, Server())
    assert settings.members[0].name == "unix:/run/a.sock"
    assert settings.members[1].name == "one:443"
    assert settings.tls == TlsSettings(verify=False, ca="/ca.pem")
    assert (settings.balance, settings.version) == (selection.Balance.HASH, HttpVersion.HTTP2)
    assert (settings.timeouts.connect_s, settings.timeouts.stall_s, settings.timeouts.total_s) == (1.0, 2.0, 3.0)
    assert (settings.pool.max_connections, settings.pool.keep_alive_s, settings.pool.max_age_s) == (4, 5.0, 6.0)
    assert (settings.health.fails, settings.health.first_s, settings.health.longest_s) == (7, 8.0, 9.0)
    assert settings.tries == 1


def test_credentials_of_a_member_go_with_every_call() -> None:
    members = (Member("one", user="ann", password="pä:ss"), Member("two"))
    settings = cluster_settings(Alias("a", members=members), Server())
    assert [member.authorization for member in settings.members] == [b"Basic YW5uOnDDpDpzcw==", None]
    assert "YW5u" not in repr(settings)


@pytest.mark.parametrize(("host", "expected"), [("pass", None), ("auto", None), ("shop.test", b"shop.test")])
def test_a_check_asks_for_the_host_that_the_conf_names(host: str, expected: bytes | None) -> None:
    alias = Alias("a", members=(Member("one"),), check="/health", check_interval_s=9.0, check_timeout_s=1.0, host=host)
    assert cluster_settings(alias, Server()).check == CheckSettings(b"/health", 9.0, 1.0, expected)
    assert cluster_settings(Alias("a", members=(Member("one"),)), Server()).check is None


def test_only_aliases_that_speak_http_have_a_cluster() -> None:
    aliases = {
        "web": Alias("web", "ws", (Member("one"),)),
        "db": Alias("db", "postgresql", (Member("one", database="d"),)),
    }
    engine = Engine(EngineSettings(threads=0), Site(Router([])))
    upstreams = make_upstreams(engine, Instance("x", Path("x.conf"), aliases=aliases), lambda text: None)
    try:
        assert upstreams.cluster("web") is upstreams.cluster("web")
        with pytest.raises(NoClusterError, match=r"no alias @db that speaks HTTP \(there are: @web\)"):
            upstreams.cluster("db")
    finally:
        upstreams.close()
        engine.close(0)


def test_a_worker_that_calls_nobody_does_not_import_what_calls() -> None:
    script = "import sys, skitaid.instance.worker; print([m for m in sys.modules if m == 'h2' or 'upstream' in m])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tunnels_of_a_mounted_alias_last_as_long_as_those_of_the_forward_proxy() -> None:
    alias, target = Alias("web", "ws", (Member("one"),)), ProxyTarget("web")
    assert proxy_settings(alias, target, where="/", bodies=BodyRules(), tunnel_s=30.0).tunnel_s == 30.0
