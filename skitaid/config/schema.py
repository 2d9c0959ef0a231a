"""The keys of every section, as tables: key, the field of the dataclass it fills, and its kind.

`sections` reads by these tables and `dump` writes by them, so that neither can know a key that the other does not.
Defaults are not here: they are the dataclasses' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skitaid.config.addresses import bind_address, listen_list, networks, peers, ports, targets
from skitaid.config.fields import (
    Kind,
    account,
    choice,
    number,
    optional,
    scalar,
    seconds,
    sequence,
    size,
    text,
    truth,
    whole,
    whole_seconds,
)
from skitaid.config.members import ALIAS_TYPES
from skitaid.config.paths import cert_file, folder, folders, interpreter, place_for_files
from skitaid.config.words import (
    algorithm,
    balance,
    file_name,
    host_policy,
    log_pattern,
    mail_domain,
    proxy_user,
    request_path,
    role,
    smtp_server,
    starttls,
    state_backend,
    try_path,
)

__all__ = [
    "ALIAS",
    "ALIAS_NAMES",
    "ALIAS_OF_ANY_TYPE",
    "CRITICAL_POINT",
    "FORWARD_PROXY",
    "GATEWAY",
    "GLOBAL",
    "HOST",
    "MOUNT",
    "PROXY_CACHE",
    "SERVER",
    "SERVER_SOURCES",
    "SMTPDA",
    "STATE",
    "Key",
    "Keys",
    "Names",
    "names",
    "section_of",
]

DAY_S = 86400
YEARS_10_S = 3650 * DAY_S
TERABYTE = 1 << 40


@dataclass(frozen=True, slots=True)
class Key:
    """What a key of a section stands for. `field`: of the section's dataclass. `is_secret`: the value is never shown in
    a message."""

    field: str
    kind: Kind
    is_secret: bool = False


Keys = Mapping[str, Key]
Names = Mapping[str, str]
"""Key as written in a section → key of the table."""


def names(keys: Iterable[str], **others: str) -> dict[str, str]:
    """Each key under its own name, and others under theirs."""
    return {**{key: key for key in keys}, **others}


def _secret() -> Kind:
    return optional(text())


def _texts(expected: str) -> Kind:
    return Kind(expected, lambda value, _: value.items, tuple, is_list=True, takes_empty=True)


GLOBAL: Keys = {
    "log_path": Key("log_path", place_for_files()),
    "var_path": Key("var_path", place_for_files()),
    "run_path": Key("run_path", place_for_files()),
    "python": Key("python", optional(interpreter())),
    "user": Key("user", optional(account("user"))),
    "group": Key("group", optional(account("group"))),
}

SMTPDA: Keys = {
    "smtpserver": Key("smtpserver", smtp_server()),
    "user": Key("user", optional(text())),
    "password": Key("password", _secret(), is_secret=True),
    "ssl": Key("ssl", truth()),
    "starttls": Key("starttls", optional(starttls())),
    "cafile": Key("cafile", optional(cert_file())),
    "max_retry": Key("max_retry", whole(0, 1000)),
    "retry_after": Key("retry_after_s", seconds(0.01, DAY_S)),
    "undelivers_keep_max_days": Key("undelivers_keep_max_days", whole(0, 3650)),
    "concurrency": Key("concurrency", whole(1, 64)),
    "concurrency_per_host": Key("concurrency_per_host", optional(whole(1, 64))),
    "timeout": Key("timeout_s", seconds(1, 3600)),
    "hostname": Key("hostname", optional(mail_domain())),
    "dkim_domain": Key("dkim_domain", optional(mail_domain())),
    "dkim_selector": Key("dkim_selector", optional(mail_domain())),
    "dkim_key": Key("dkim_key", optional(cert_file())),
}

STATE: Keys = {"backend": Key("backend", state_backend(), is_secret=True)}

SERVER: Keys = {
    "processes": Key("processes", whole(1, 256)),
    "threads": Key("threads", whole(0, 1024)),
    "ip": Key("ip", bind_address()),
    "port": Key("port", whole(0, 65535)),
    "listen": Key("listen", listen_list()),
    "name": Key("name", text()),
    "user": Key("user", optional(account("user"))),
    "group": Key("group", optional(account("group"))),
    "python": Key("python", optional(interpreter())),
    "pythonpath": Key("pythonpath", folders()),
    "directory": Key("directory", optional(folder())),
    "response_timeout": Key("response_timeout_s", seconds(0.1, DAY_S)),
    "keep_alive": Key("keep_alive_s", seconds(0, DAY_S)),
    "static_max_age": Key("static_max_age_s", whole_seconds(0, YEARS_10_S)),
    "num_result_cache_max": Key("num_result_cache_max", whole(0, 10_000_000)),
    "enable_proxy": Key("enable_proxy", truth()),
    "ssl": Key("ssl", truth()),
    "certfile": Key("certfile", optional(cert_file())),
    "keyfile": Key("keyfile", optional(cert_file())),
    "passphrase": Key("passphrase", _secret(), is_secret=True),
    "client_ca": Key("client_ca", optional(cert_file())),
    "client_cert": Key("client_cert", choice("required", "optional")),
    "forward": Key("forward", whole(0, 65535)),
    "hsts": Key("hsts_s", whole_seconds(0, YEARS_10_S)),
    "hsts_subdomains": Key("hsts_subdomains", truth()),
    "log_off": Key("log_off", sequence("path prefixes such as /static/ or endings such as *.css", log_pattern)),
    "start_timeout": Key("start_timeout_s", seconds(1, DAY_S)),
    "heartbeat_timeout": Key("heartbeat_timeout_s", seconds(2, DAY_S)),
    "backend_keep_alive": Key("backend_keep_alive_s", seconds(0, DAY_S)),
    "trusted": Key("trusted", peers()),
    "gzip": Key("gzip", truth()),
    "max_client_body_size": Key("max_client_body_bytes", optional(size(TERABYTE))),
    "max_post_body_size": Key("max_post_body_bytes", size(TERABYTE)),
    "max_multipart_body_size": Key("max_multipart_body_bytes", size(TERABYTE)),
    "max_upload_file_size": Key("max_upload_file_bytes", size(TERABYTE)),
    "max_cache_size": Key("max_cache_bytes", size(TERABYTE)),
    "spool_limit": Key("spool_limit_bytes", size(TERABYTE)),
    "spool_dir": Key("spool_dir", optional(place_for_files())),
    "max_connections": Key("max_connections", whole(0, 1_000_000)),
    "max_connections_per_address": Key("max_connections_per_address", whole(0, 1_000_000)),
    "queue_limit": Key("queue_limit", whole(1, 1_000_000)),
    "slow_client_threads": Key("slow_client_threads", whole(0, 1024)),
    "header_timeout": Key("header_timeout_s", seconds(1, DAY_S)),
    "total_timeout": Key("total_timeout_s", seconds(0, DAY_S)),
    "http2": Key("http2", truth()),
    "http2_max_streams": Key("http2_max_streams", whole(1, 10_000)),
    "http2_max_resets": Key("http2_max_resets", whole(1, 1_000_000)),
    "http2_max_frames": Key("http2_max_frames", whole(10, 1_000_000)),
}

HOST: Keys = {
    "certfile": Key("certfile", optional(cert_file())),
    "keyfile": Key("keyfile", optional(cert_file())),
    "passphrase": Key("passphrase", _secret(), is_secret=True),
}

PROXY_CACHE: Keys = {
    "cache_memory": Key("cache_memory_bytes", size(TERABYTE)),
    "cache_disk": Key("cache_disk_bytes", size(TERABYTE)),
    "cache_dir": Key("cache_dir", optional(place_for_files())),
}

FORWARD_PROXY: Keys = {
    "channel": Key("channel_s", seconds(0.1, DAY_S)),
    "tunnel": Key("tunnel_s", seconds(0.1, DAY_S)),
    "allow": Key("allow", peers()),
    "deny": Key("deny", peers()),
    "allow_targets": Key("allow_targets", targets()),
    "deny_targets": Key("deny_targets", targets()),
    "connect_ports": Key("connect_ports", ports()),
    "users": Key("users", sequence("name:password, separated by commas", proxy_user, ":".join), is_secret=True),
}

GATEWAY: Keys = {
    "enable_gateway": Key("enable_gateway", truth()),
    "authenticate": Key("authenticate", truth()),
    "realm": Key("realm", text()),
    "secret_key": Key("secret_key", _secret(), is_secret=True),
    "public_key": Key("public_key", optional(cert_file())),
    "algorithms": Key("algorithms", sequence("names such as HS256, separated by commas", algorithm)),
    "leeway": Key("leeway_s", seconds(0, DAY_S)),
    "audience": Key("audience", optional(text())),
}

CRITICAL_POINT: Keys = {
    "cpu_percent": Key("cpu_percent", number(1, 100)),
    "continuous": Key("continuous", whole(1, 1000)),
    "interval": Key("interval_s", seconds(0, DAY_S)),
}

ALIAS: Keys = {
    "type": Key("type", choice(*ALIAS_TYPES)),
    # taken as text: how a member is read depends on the type, which may be written below it
    "members": Key("members", _texts("host:port, user:password@host:port/db, unix:/path or a file"), is_secret=True),
    "ssl": Key("ssl", truth()),
    "roles": Key("roles", sequence("names, separated by commas", role)),
    "source": Key("source", networks()),
    "balance": Key("balance", balance()),
    "verify": Key("verify", truth()),
    "ca": Key("ca", optional(cert_file())),
    "protocol": Key("protocol", choice("auto", "http1", "http2")),
    "host": Key("host", host_policy()),
    "connect_timeout": Key("connect_timeout_s", seconds(0.1, DAY_S)),
    "response_timeout": Key("response_timeout_s", seconds(0.1, DAY_S)),
    "total_timeout": Key("total_timeout_s", seconds(0, DAY_S)),
    "max_connections": Key("max_connections", whole(1, 100_000)),
    "keep_alive": Key("keep_alive_s", optional(seconds(0, DAY_S))),
    "max_age": Key("max_age_s", seconds(1, DAY_S)),
    "fails": Key("fails", whole(0, 1000)),
    "eject": Key("eject_s", seconds(0.1, DAY_S)),
    "eject_max": Key("eject_max_s", seconds(0.1, DAY_S)),
    "check": Key("check", optional(request_path())),
    "check_interval": Key("check_interval_s", seconds(0.1, DAY_S)),
    "check_timeout": Key("check_timeout_s", seconds(0.1, DAY_S)),
    "retries": Key("retries", optional(whole(0, 100))),
}

ALIAS_OF_ANY_TYPE = ("type", "members", "ssl", "roles", "source")
"""The others of ALIAS are for HTTP."""

MOUNT: Keys = {
    "max_age": Key("max_age_s", optional(whole_seconds(0, YEARS_10_S))),
    "max_body": Key("max_body_bytes", optional(size(TERABYTE))),
    "index": Key("index", optional(sequence("file names, separated by commas", file_name))),
    "listing": Key("listing", truth()),
    "try": Key("try_", optional(scalar("a path such as /index.html", try_path))),
    "symlinks": Key("symlinks", truth()),
    "log": Key("log", truth()),
    "debug": Key("debug", truth()),
    "use_reloader": Key("use_reloader", truth()),
    "gzip": Key("gzip", optional(truth())),
    "stream": Key("stream", truth()),
}

SERVER_SOURCES: Mapping[str, Names] = {
    "server": names(SERVER),
    "ssl": names(
        ("certfile", "keyfile", "passphrase", "client_ca", "client_cert", "forward", "hsts", "hsts_subdomains"),
        enable_ssl="ssl",
    ),
    "tunefactors": names(("static_max_age", "response_timeout", "keep_alive", "num_result_cache_max")),
    "proxy": names(("enable_proxy",)),
}
"""`[server]`, and the sections in which the later daemon releases grouped some of its keys."""

ALIAS_NAMES = names(ALIAS, role="roles", ips="source")


def section_of(key: str) -> str:
    """The section that a key belongs to, or ""; of those that have it the first."""
    tables: dict[str, Iterable[str]] = {
        "server": SERVER,
        "ssl": ("enable_ssl",),
        "proxypass": PROXY_CACHE,
        "proxy": FORWARD_PROXY,
        "api-gateway": GATEWAY,
        "critical_point": CRITICAL_POINT,
        "/mount": MOUNT,
        "@alias": ALIAS_NAMES,
    }
    return next((section for section, keys in tables.items() if key in keys), "")
