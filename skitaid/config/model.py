"""What a conf file amounts to: frozen dataclasses, their defaults written here once.

The dataclasses stop at `instance/` and `cli/`: each part of the engine is given its slice. Times are seconds, sizes
are bytes, and the field's name says so. Two that mean the same compare equal: where a value was written (`origin`)
and what was warned about (`warnings`) do not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skitaid.exceptions import Problem
from skitaid.protocols.hosts import uri_host

__all__ = [
    "Alias",
    "AppTarget",
    "Balance",
    "Certificate",
    "CriticalPoint",
    "Crontab",
    "CrontabLine",
    "ForwardProxy",
    "Gateway",
    "Global",
    "Host",
    "Instance",
    "Listen",
    "Main",
    "Member",
    "Mount",
    "MountOptions",
    "Origin",
    "ProxyCache",
    "ProxyTarget",
    "Server",
    "Smtpda",
    "State",
    "StaticTarget",
    "Target",
    "Tls",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written; `line` is 1-based, 0 for "nowhere: a default"."""

    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path or "default"


# ---------------------------------------------------------------- skitaid.conf


@dataclass(frozen=True, slots=True)
class Global:
    """`[global]`. `python` None means the interpreter that runs skitaid."""

    log_path: Path
    var_path: Path
    run_path: Path
    python: str | None = None
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Smtpda:
    """`[smtpda]`: the smart host that mail is handed to. `starttls`: `yes` (required), `opportunistic` or `no`; None:
    required, but not to this machine itself. `cafile`: authorities beside the system's. `max_retry`: attempts after the
    first. `concurrency_per_host` None: as `concurrency`. `hostname` None: the machine's name. Mail is signed (DKIM)
    when `dkim_key` is there."""

    smtpserver: str = "127.0.0.1:25"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl: bool = False
    starttls: str | None = None
    cafile: Path | None = None
    max_retry: int = 10
    retry_after_s: float = 60.0
    undelivers_keep_max_days: int = 30
    concurrency: int = 4
    concurrency_per_host: int | None = None
    timeout_s: float = 60.0
    hostname: str | None = None
    dkim_domain: str | None = None
    dkim_selector: str | None = None
    dkim_key: Path | None = None


@dataclass(frozen=True, slots=True)
class CrontabLine:
    """One line of `[crontab:line]`, as written (POSIX crontab)."""

    text: str
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Crontab:
    """`[crontab:line]`."""

    lines: tuple[CrontabLine, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """`[state]`: where shared states live; `local` or a `redis://` URL."""

    backend: str = "local"


@dataclass(frozen=True, slots=True)
class Main:
    """skitaid.conf. `smtpda` and `crontab` are None when their section is absent: the agent is not started.
    `path` is the file read, or None when there is no skitaid.conf and everything is a default."""

    global_: Global
    etc: Path
    path: Path | None = None
    smtpda: Smtpda | None = None
    crontab: Crontab | None = None
    state: State = State()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)


# ---------------------------------------------------------------- servers-enabled/NAME.conf


@dataclass(frozen=True, slots=True)
class Listen:
    """One address. TCP: `host` ("" means every address, IPv4; "::" every address, IPv6) and `port` (0: any free
    port); unix socket: `path`. `is_forward`: who asks there is sent on to HTTPS."""

    host: str = ""
    port: int = 5000
    path: str | None = None
    origin: Origin = field(default=Origin(), compare=False)
    is_forward: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{uri_host(self.host or '0.0.0.0')}:{self.port}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key. `certfile`: the certificate, then the authorities between it and those that
    clients know. `keyfile` None: the key sits inside `certfile`."""

    certfile: Path
    keyfile: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """What the conf says of TLS. `certificate`: for whoever asks for no host that has its own; None: the first that a
    host has. `client_ca`: the authorities of clients' certificates, None: clients need none; `client_cert`: "required"
    or "optional". `forward`: a port whose requests are sent on to HTTPS, 0: none. `hsts_s`: how long clients are to
    come by HTTPS alone, 0: nothing is said of it; `hsts_subdomains`: and to hosts below."""

    certificate: Certificate | None = None
    client_ca: Path | None = None
    client_cert: str = "required"
    forward: int = 0
    hsts_s: int = 0
    hsts_subdomains: bool = False


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """A worker that uses `cpu_percent` or more for `continuous` looks in a row, `interval_s` apart, is restarted."""

    cpu_percent: float = 90.0
    continuous: int = 3
    interval_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """`[server]`. `threads` 0: apps run on the event loop. `python`: an interpreter or a virtual environment's
    folder, None: the interpreter that runs skitaid. `trusted`: networks in CIDR form, and `unix`, whose
    X-Forwarded-*, Forwarded and transaction ids are believed. `max_client_body_bytes` is the default of the three
    limits below it; the last of them and `max_cache_bytes` are for frameworks, which know the parts of a body.
    `spool_limit_bytes`: a request body up to that length waits on disk until it is complete, and of a response as much
    until its client takes it, in `spool_dir` or, if that is None, in the instance's folder. `queue_limit`: requests
    that wait for a thread before 503 is said. `slow_client_threads`: threads that may wait for slow clients, beside
    the `threads` that run. `http2`: HTTP/2 is spoken with clients that want it; `http2_max_streams`: requests of one
    connection at a time; `http2_max_resets` and `http2_max_frames`: requests given up, and frames that carry nothing,
    of one connection before they are a flood. The limits count for each worker; 0 connections is no limit, and 0 is no
    `total_timeout_s`."""

    processes: int = 1
    threads: int = 4
    listen: tuple[Listen, ...] = (Listen(),)
    name: str = ""
    user: str | None = None
    group: str | None = None
    python: str | None = None
    pythonpath: tuple[Path, ...] = ()
    directory: Path | None = None
    response_timeout_s: float = 10.0
    keep_alive_s: float = 10.0
    static_max_age_s: int = 300
    num_result_cache_max: int = 1000
    enable_proxy: bool = False
    tls: Tls | None = None
    log_off: tuple[str, ...] = ()
    start_timeout_s: float = 60.0
    heartbeat_timeout_s: float = 30.0
    backend_keep_alive_s: float = 10.0
    trusted: tuple[str, ...] = ()
    gzip: bool = True
    max_client_body_bytes: int | None = None
    max_post_body_bytes: int = 5 * 1024 * 1024
    max_multipart_body_bytes: int = 20 * 1024 * 1024
    max_upload_file_bytes: int = 20_000_000
    max_cache_bytes: int = 5 * 1024 * 1024
    spool_limit_bytes: int = 256 * 1024 * 1024
    spool_dir: Path | None = None
    max_connections: int = 20_000
    max_connections_per_address: int = 1000
    queue_limit: int = 5000
    slow_client_threads: int = 128
    header_timeout_s: float = 30.0
    total_timeout_s: float = 3600.0
    http2: bool = True
    http2_max_streams: int = 100
    http2_max_resets: int = 200
    http2_max_frames: int = 1000


@dataclass(frozen=True, slots=True)
class ProxyCache:
    """`[proxypass]`: the response cache, sizes in bytes; 0 is off."""

    cache_memory_bytes: int = 0
    cache_disk_bytes: int = 0
    cache_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class ForwardProxy:
    """`[proxy]`, beside enable_proxy, which is the server's. A request is given up when nothing moved for `channel_s`,
    a tunnel (CONNECT) after `tunnel_s`.

    `allow` and `deny` are networks in CIDR form, and `unix`: clients that are in `allow` and not in `deny` may use it.
    `allow_targets` and `deny_targets` are networks, host names, `.domain` for a domain and all below it, `public` for
    every address that is not private, and `any`: a target's name or its address must be in `allow_targets`, and none
    of the two in `deny_targets`; a name that is allowed may have any address. `connect_ports`: of tunnels, None for
    every port. `users`: name and password; without one nobody is asked for them.
    """

    channel_s: float = 60.0
    tunnel_s: float = 600.0
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128", "unix")
    deny: tuple[str, ...] = ()
    allow_targets: tuple[str, ...] = ("public",)
    deny_targets: tuple[str, ...] = ()
    connect_ports: tuple[int, ...] | None = (443,)
    users: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Gateway:
    """`[api-gateway]`. `authenticate`: each mounted alias needs a token; else those with roles do. Tokens are signed by
    `secret_key`, or by the private key that belongs to `public_key`. `audience`: whom tokens have to be meant for."""

    enable_gateway: bool = False
    authenticate: bool = False
    realm: str = "API Gateway"
    secret_key: str | None = field(default=None, repr=False)
    public_key: Path | None = None
    algorithms: tuple[str, ...] = ("HS256",)
    leeway_s: float = 0.0
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class StaticTarget:
    """A folder of files."""

    root: Path


@dataclass(frozen=True, slots=True)
class AppTarget:
    """A Python file (`module`, absolute, with its .py; or a package's folder) and the name of a callable in it. `kind`:
    "wsgi" or "asgi" where the conf says so; None: it is found out."""

    module: Path
    callable: str = "app"
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class ProxyTarget:
    """A reverse proxy over the members of an alias. `remap`: what stands in front of the path instead of the mount
    point; None: nothing."""

    alias: str
    remap: str | None = None


Target = StaticTarget | AppTarget | ProxyTarget


@dataclass(frozen=True, slots=True)
class MountOptions:
    """`[/js]`, `[host/js]`. None: the server's default. `symlinks`: links that lead out of a folder of files are
    followed. `stream`: a request's body is handed over as it comes."""

    max_age_s: int | None = None
    max_body_bytes: int | None = None
    index: tuple[str, ...] | None = None
    listing: bool = False
    try_: str | None = None
    symlinks: bool = False
    log: bool = True
    debug: bool = False
    use_reloader: bool = False
    gzip: bool | None = None
    stream: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of `[routes:line]`. `path` starts with a slash and ends with none, but for "/" itself."""

    path: str
    target: Target
    options: MountOptions = MountOptions()
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Host:
    """A host line and the mounts under it, in file order. `names` is empty for the default host; a name is lower
    case, and one that starts with a dot stands for that domain and all below it. `certificate` None: the server's."""

    names: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    origin: Origin = field(default=Origin(), compare=False)
    certificate: Certificate | None = None

    @property
    def is_default(self) -> bool:
        return not self.names


@dataclass(frozen=True, slots=True)
class Member:
    """One server of an alias. `path` for a unix socket or a database file; then `host` is ""."""

    host: str
    port: int | None = None
    path: str | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Balance:
    """How calls are shared out: `method` is "round-robin", "least-connections" or "hash". A hash is of the header field
    `header` (lower case) or of the cookie `cookie`; one of the two is set then."""

    method: str = "round-robin"
    header: str | None = None
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """`[@name]`; `name` has no @. `ssl`: its members are spoken to in TLS, as those of https and wss always are.
    `source` are networks in CIDR form.

    What follows `source` counts for HTTP (http, https, ws, wss), for each member in each worker. `ca` None: the
    authorities that this machine trusts. `protocol`: "auto" (HTTP/2 where TLS offers it), "http1" or "http2". `host`,
    what the members are told as Host: "pass" (what the client said), "member" (the member's name), a name, or "auto":
    "member" for members with TLS, "pass" for others. `keep_alive_s` None: that of the server. `fails` in a row eject a
    member for `eject_s`, up to `eject_max_s` when it goes on; 0: never. `check`: a path that is asked for every
    `check_interval_s`, None: none. `retries` None: each other member once.
    """

    name: str
    type: str = "http"
    members: tuple[Member, ...] = ()
    ssl: bool = False
    roles: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    balance: Balance = Balance()
    verify: bool = True
    ca: Path | None = None
    protocol: str = "auto"
    host: str = "auto"
    connect_timeout_s: float = 3.0
    response_timeout_s: float = 30.0
    total_timeout_s: float = 0.0
    max_connections: int = 250
    keep_alive_s: float | None = None
    max_age_s: float = 600.0
    fails: int = 3
    eject_s: float = 1.0
    eject_max_s: float = 60.0
    check: str | None = None
    check_interval_s: float = 5.0
    check_timeout_s: float = 2.0
    retries: int | None = None
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Instance:
    """One file of servers-enabled; `name` is the file's stem."""

    name: str
    path: Path
    server: Server = Server()
    environment: tuple[tuple[str, str], ...] = ()
    hosts: tuple[Host, ...] = ()
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    proxy_cache: ProxyCache = ProxyCache()
    forward_proxy: ForwardProxy = ForwardProxy()
    gateway: Gateway = Gateway()
    critical_point: CriticalPoint | None = None
    crontab: Crontab | None = None
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
