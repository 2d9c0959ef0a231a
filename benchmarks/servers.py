"""The servers: how each is started, skitaid as its users do, its peers as their documentation advises."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import Cores, pinned, process_tree

__all__ = ["BENCH_VENV", "SERVERS", "Place", "Running", "Server", "StartError", "end", "free_port", "start"]

ROOT = Path(__file__).resolve().parents[1]
APPS = ROOT / "benchmarks" / "apps"
BENCH_VENV = ROOT / ".venv-bench"
MOUNTS = 1000
START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0


class StartError(Exception):
    """A server did not come up; the message holds the end of what it said."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a server is started with: its port, and a folder for its conf and logs. `static`: files to serve. `backend`:
    the port of the server behind a proxy."""

    port: int
    folder: Path
    static: Path
    backend: int = 0


Maker = Callable[[Place], list[str]]


@dataclass(frozen=True, slots=True)
class Server:
    """`peer` names the program, for `--peers`. `make` writes what the program needs and gives its command line.
    `is_proxy`: it needs the server "backend" behind it. `is_load`: it belongs on the core that makes the load."""

    key: str
    peer: str
    label: str
    make: Maker
    is_proxy: bool = False
    is_load: bool = False


def _skitaid(*lines: str, threads: int = 4, log: bool = True, app: str = "hello:app") -> Maker:
    def make(place: Place) -> list[str]:
        conf = [
            "[server]", "ip = 127.0.0.1", f"port = {place.port}", f"threads = {threads}",
            *([] if log else ["log_off = /"]), *(line for line in lines if "=" in line and line[0] != "/"),
            "[routes:line]", f"/ = {APPS}/{app}", f"/static = {place.static}",
            *(line for line in lines if line[0] == "/"),
        ]  # fmt: skip
        enabled = place.folder / "etc" / "servers-enabled"
        enabled.mkdir(parents=True)
        (enabled / "bench.conf").write_text("\n".join(conf) + "\n")
        return [sys.executable, str(ROOT / "bin/skitaid-instance.py"), "--etc", str(enabled.parent), "-f", "bench"]

    return make


def _program(name: str) -> str:
    return str(BENCH_VENV / "bin" / name)


def _gunicorn(*, threads: int = 4, log: bool = False, app: str = "hello:app") -> Maker:
    def make(place: Place) -> list[str]:
        return [
            _program("gunicorn"), "--bind", f"127.0.0.1:{place.port}", "--workers", "1", "--worker-class", "gthread",
            "--threads", str(threads), "--keep-alive", "75", "--worker-connections", "1000", "--log-level", "warning",
            *(["--access-logfile", str(place.folder / "access.log")] if log else []), app,
        ]  # fmt: skip

    return make


def _granian(interface: str = "wsgi", *, threads: int = 1, log: bool = False, http: str = "auto") -> Maker:
    app = "hello:app" if interface == "wsgi" else "hello_asgi:app"

    def make(place: Place) -> list[str]:
        return [
            _program("granian"), "--host", "127.0.0.1", "--port", str(place.port), "--interface", interface,
            "--workers", "1", "--runtime-threads", "1", "--http", http,
            *(["--blocking-threads", str(threads)] if interface == "wsgi" else ["--loop", "uvloop"]),
            *(["--access-log"] if log else ["--no-access-log", "--log-level", "warning"]), app,
        ]  # fmt: skip

    return make


def _uvicorn(app: str) -> Maker:
    def make(place: Place) -> list[str]:
        return [
            _program("uvicorn"), "--port", str(place.port), "--loop", "uvloop", "--http", "httptools",
            "--no-access-log", "--log-level", "warning", app,
        ]  # fmt: skip

    return make


def _waitress(place: Place) -> list[str]:
    return [_program("waitress-serve"), "--host=127.0.0.1", f"--port={place.port}", "--threads=4", "hello:app"]


def _bjoern(place: Place) -> list[str]:
    code = f"import bjoern, hello; bjoern.run(hello.app, '127.0.0.1', {place.port})"
    return [_program("python"), "-c", code]


def _skitaid_proxy(*, log: bool = True) -> Maker:
    def make(place: Place) -> list[str]:
        conf = [
            "[server]", "ip = 127.0.0.1", f"port = {place.port}", *([] if log else ["log_off = /"]),
            "[@back]", f"members = 127.0.0.1:{place.backend}", "[routes:line]", "/ = @back",
        ]  # fmt: skip
        enabled = place.folder / "etc" / "servers-enabled"
        enabled.mkdir(parents=True)
        (enabled / "bench.conf").write_text("\n".join(conf) + "\n")
        return [sys.executable, str(ROOT / "bin/skitaid-instance.py"), "--etc", str(enabled.parent), "-f", "bench"]

    return make


def _aiohttp_proxy(place: Place) -> list[str]:
    url = f"http://127.0.0.1:{place.backend}"
    return [_program("python"), str(APPS / "proxy_aiohttp.py"), str(place.port), url]


def _fastapi_proxy(place: Place) -> list[str]:
    code = (
        "import uvicorn; from fastapi_proxy_lib.fastapi.app import reverse_http_app;"
        f" uvicorn.run(reverse_http_app(base_url='http://127.0.0.1:{place.backend}/'), port={place.port},"
        " loop='uvloop', http='httptools', access_log=False, log_level='warning')"
    )
    return [_program("python"), "-c", code]


def _nginx(template: str = "nginx.conf.in", *, protocol: str = "") -> Maker:
    def make(place: Place) -> list[str]:
        # As root it would serve as nobody, who may not look into our folder.
        values = {
            "folder": place.folder, "port": place.port, "static": place.static, "backend": place.backend,
            "user": "user root;" if os.geteuid() == 0 else "", "protocol": protocol,
        }  # fmt: skip
        text = (ROOT / "benchmarks" / template).read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        conf = place.folder / "nginx.conf"
        conf.write_text(text)
        return ["nginx", "-e", str(place.folder / "nginx.err"), "-c", str(conf)]

    return make


def _with_certificate(make: Maker) -> Maker:
    """A P-256 key, as most sites have one today, and a certificate, in etc/cert of the server's folder."""

    def make_both(place: Place) -> list[str]:
        cert = place.folder / "etc" / "cert"
        cert.mkdir(parents=True)
        how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
        where = ["-keyout", str(cert / "bench.key"), "-out", str(cert / "bench.pem")]
        subprocess.run(["openssl", "req", "-x509", *how, *where], check=True, capture_output=True)
        return make(place)

    return make_both


def _granian_tls(place: Place) -> list[str]:
    cert = place.folder / "etc" / "cert"
    *words, app = _granian()(place)
    return [*words, "--ssl-certificate", str(cert / "bench.pem"), "--ssl-keyfile", str(cert / "bench.key"), app]


_SKITAID_TLS = _skitaid("ssl = yes", "certfile = bench.pem", "keyfile = bench.key", log=False)
_MANY_MOUNTS = tuple(f"/m{number} = {APPS}/hello:app" for number in range(1, MOUNTS + 1))

SERVERS: Mapping[str, Server] = {
    server.key: server
    for server in (
        Server("skitaid+log", "skitaid", "skitaid, log on", _skitaid()),
        Server("skitaid", "skitaid", "skitaid, log off", _skitaid(log=False)),
        Server("skitaid/8+log", "skitaid", "skitaid, 8 threads, log on", _skitaid(threads=8)),
        Server("skitaid/8", "skitaid", "skitaid, 8 threads, log off", _skitaid(threads=8, log=False)),
        Server("skitaid/asgi", "skitaid", "skitaid ASGI, log off", _skitaid(app="hello_asgi:app", log=False)),
        Server("skitaid/mounts", "skitaid", f"skitaid, {MOUNTS:,} mounts", _skitaid(*_MANY_MOUNTS, log=False)),
        Server("skitaid/idle", "skitaid", "skitaid, keep_alive 600", _skitaid("keep_alive = 600", log=False)),
        Server("skitaid/atila", "skitaid", "skitaid, Atila, log off", _skitaid(app="hello_atila:app", log=False)),
        Server(
            "skitaid/atila-many",
            "skitaid",
            "skitaid, Atila, 10,000 routes",
            _skitaid(app="hello_atila:many", log=False),
        ),
        Server("skitaid/flask", "skitaid", "skitaid, Flask, log off", _skitaid(app="hello_flask:app", log=False)),
        Server("granian+log", "granian", "granian, log on", _granian(log=True)),
        Server("granian", "granian", "granian, log off", _granian()),
        Server("granian/8+log", "granian", "granian, 8 threads, log on", _granian(threads=8, log=True)),
        Server("granian/8", "granian", "granian, 8 threads, log off", _granian(threads=8)),
        Server("granian/h2", "granian", "granian, HTTP/2 alone, log off", _granian(http="2")),
        Server("granian/asgi", "granian", "granian ASGI, log off", _granian("asgi")),
        Server("gunicorn+log", "gunicorn", "gunicorn gthread, log on", _gunicorn(log=True)),
        Server("gunicorn", "gunicorn", "gunicorn gthread, log off", _gunicorn()),
        Server("gunicorn/8", "gunicorn", "gunicorn gthread, 8 threads, log off", _gunicorn(threads=8)),
        Server("gunicorn/flask", "gunicorn", "gunicorn gthread, Flask, log off", _gunicorn(app="hello_flask:app")),
        Server("waitress", "waitress", "waitress (it has no log)", _waitress),
        Server("a2wsgi", "uvicorn", "uvicorn + a2wsgi, log off", _uvicorn("hello_a2wsgi:app")),
        Server("uvicorn", "uvicorn", "uvicorn ASGI, log off", _uvicorn("hello_asgi:app")),
        Server("bjoern", "bjoern", "bjoern (it has no log)", _bjoern),
        Server("nginx", "nginx", "nginx, log off", _nginx()),
        Server("nginx/h2", "nginx", "nginx, HTTP/2, log off", _nginx(protocol=" http2")),
        Server("skitaid/tls", "skitaid", "skitaid by TLS, log off", _with_certificate(_SKITAID_TLS)),
        Server("granian/tls", "granian", "granian by TLS, log off", _with_certificate(_granian_tls)),
        Server("nginx/tls", "nginx", "nginx by TLS, log off", _with_certificate(_nginx("nginx_tls.conf.in"))),
        Server("backend", "skitaid", "nginx asked without a proxy", _nginx(), is_load=True),
        Server("skitaid/proxy+log", "skitaid", "skitaid as a proxy, log on", _skitaid_proxy(), is_proxy=True),
        Server("skitaid/proxy", "skitaid", "skitaid as a proxy, log off", _skitaid_proxy(log=False), is_proxy=True),
        Server("nginx/proxy", "nginx", "nginx as a proxy, log off", _nginx("nginx_proxy.conf.in"), is_proxy=True),
        Server("aiohttp/proxy", "aiohttp", "a proxy of aiohttp, log off", _aiohttp_proxy, is_proxy=True),
        Server("fastapi/proxy", "fastapi", "fastapi-proxy-lib, log off", _fastapi_proxy, is_proxy=True),
    )
}


@dataclass(slots=True)
class Running:
    """A server that listens. `stop` must be called."""

    server: Server
    place: Place
    process: subprocess.Popen[bytes]
    warmed: set[str] = field(default_factory=set)

    @property
    def port(self) -> int:
        return self.place.port

    @property
    def pid(self) -> int:
        return self.process.pid

    def empty_logs(self) -> None:
        """Some hundred thousand lines a second: before the disk becomes busy with them."""
        for path in self.place.folder.rglob("*.log"):
            os.truncate(path, 0)

    def stop(self) -> None:
        """Ask, wait, and end what is left."""
        pids = process_tree(self.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            end(pid)


def end(pid: int) -> None:
    """A process of ours that outlived its parent."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(server: Server, place: Place, cores: Cores) -> Running:
    """Start and wait until it listens. Raises StartError."""
    place.folder.mkdir(parents=True)
    environ = {**os.environ, "PYTHONPATH": str(APPS), "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
    output = place.folder / "output.log"
    with pinned(cores.load if server.is_load else cores.server), output.open("ab") as file:
        try:
            process = subprocess.Popen(
                server.make(place), cwd=place.folder, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        except OSError as error:
            raise StartError(f"{server.label}: {error}") from error
    running = Running(server, place, process)
    end = time.monotonic() + START_LIMIT_S
    while not _listens(place.port):
        if process.poll() is not None or time.monotonic() >= end:
            running.stop()
            said = output.read_text(errors="replace").strip()[-800:]
            raise StartError(f"{server.label} does not listen on port {place.port}: {said or 'it said nothing'}")
        time.sleep(0.05)
    return running


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True
