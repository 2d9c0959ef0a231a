"""explain URL: which instance, host block and mount answer it, from which line of which conf, and what is tried
before. Asks the conf files and the folders that are mounted, not the running daemon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from skitaid.cli.explain_static import Outcome, look_for
from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, complain_problems, out, out_style, short
from skitaid.cli.style import Style, Tone
from skitaid.config.load import load_all
from skitaid.config.model import Alias, AppTarget, Host, Instance, Member, Mount, Origin, ProxyTarget, StaticTarget
from skitaid.config.targets import show_target
from skitaid.exceptions import RefusedError
from skitaid.handlers.proxy.target import Remap
from skitaid.handlers.quoting import quote_path
from skitaid.handlers.router import HostTable, Route, RouteKind, Router, route_path
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.hosts import uri_host
from skitaid.protocols.http1.head import RequestLine

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that choose who answers. `host` is "" and `port` None when it names none."""

    host: str
    port: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    """One mount that is tried. `answers`: no later one is asked."""

    mount: Mount
    kind: RouteKind
    text: str
    answers: bool


def run(session: Session) -> int:
    session.refuse_agents()
    if session.options.argument is None:
        raise UsageError("explain which URL? e.g. explain http://127.0.0.1:5000/static/logo.svg")
    address = parse_url(session.options.argument)
    instances = chosen(session, address)
    style = out_style()
    answers = [explain(instance, address, style) for instance in instances]
    return 0 if any(answers) else 1


def parse_url(text: str) -> Address:
    """`http://host:port/path`, `host:port/path`, `host/path` or `/path`. Raises UsageError."""
    has_scheme = "://" in text
    try:
        parts = urlsplit(text if has_scheme or text.startswith("/") else f"//{text}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error
    if has_scheme and parts.scheme not in DEFAULT_PORTS:
        raise UsageError(f"{text}: expected http:// or https://")
    if port is None and has_scheme:
        port = DEFAULT_PORTS[parts.scheme]
    path = unquote_to_bytes(os.fsencode(parts.path or "/")).decode("latin-1")  # as the engine reads it
    return Address(parts.hostname or "", port, path)


def chosen(session: Session, address: Address) -> list[Instance]:
    """The instances that could get such a request. Raises RefusedError when there is none."""
    if session.options.name is not None:
        session.load_main()
        session.require_instance()
    loaded = load_all(session.etc)
    wanted = session.options.name
    complain_problems(
        tuple(
            problem for name, error in loaded.failures.items() if wanted in (None, name) for problem in error.problems
        )
    )
    instances = [instance for name, instance in loaded.instances.items() if wanted in (None, name)]
    listening = [instance for instance in instances if wanted or listens(instance, address.port)]
    if not listening:
        raise RefusedError(nobody(session, address, instances))
    return listening


def listens(instance: Instance, port: int | None) -> bool:
    return port is None or any(listen.path is None and listen.port == port for listen in instance.server.listen)


def nobody(session: Session, address: Address, instances: Iterable[Instance]) -> str:
    known = "; ".join(
        f"{instance.name} listens on {', '.join(map(str, instance.server.listen))}" for instance in instances
    )
    where = f"on port {address.port}" if address.port is not None else "at all"
    return f"no instance of {session.etc} listens {where}" + (f"; {known}" if known else "")


def explain(instance: Instance, address: Address, style: Style) -> bool:
    """Print how an instance answers; False when it has nothing at that address."""
    host = host_block(instance, address.host)
    out(
        f"{style.paint('instance', Tone.FAINT)}  {style.paint(instance.name, Tone.STRONG)} ({short(instance.path)}), "
        f"listens on {', '.join(map(str, instance.server.listen))}"
    )
    if host is None:
        out(f"no host block is for {address.host or 'a request without a host'}, and there is no default one: 404")
        return False
    names = " ".join(host.names) or "default"
    out(f"{style.paint('host', Tone.FAINT)}      {names} ({place(host.origin)})")
    found = steps(instance, host, address.path)
    for number, step in enumerate(found, 1):
        out(_step_line(number, step, style))
    if not found or not found[-1].answers:
        out("Nothing answers: 404.")
        return False
    return True


def host_block(instance: Instance, name: str) -> Host | None:
    """The block that the router chooses for a host's name."""
    tables = {HostTable(host.names, ()): host for host in instance.hosts}
    table = Router(list(tables)).table(uri_host(name).encode("latin-1", "replace"))
    return None if table is None else tables[table]


def steps(instance: Instance, host: Host, path: str) -> list[Step]:
    """The mounts that are tried for `path`, in the router's order, up to the one that answers."""
    routes = {Route(route_path(mount.path), kind_of(mount)): mount for mount in host.mounts}
    proxied = [route.path for route in routes if route.kind is RouteKind.PROXY]
    found: list[Step] = []
    for route in HostTable(host.names, list(routes)).match(path):
        deeper = [each for each in proxied if each.startswith(f"{route.path}/")]
        step = _step(instance, routes[route], route, path, deeper)
        found.append(step)
        if step.answers:
            break
    return found


def kind_of(mount: Mount) -> RouteKind:
    if isinstance(mount.target, StaticTarget):
        return RouteKind.STATIC
    return RouteKind.APP if isinstance(mount.target, AppTarget) else RouteKind.PROXY


def _step(instance: Instance, mount: Mount, route: Route, path: str, deeper: Sequence[str]) -> Step:
    target = mount.target
    rest = path[len(route.path) :]
    if isinstance(target, StaticTarget):
        outcome, text = look_for(target.root, rest, mount.options)
        return Step(mount, route.kind, text, outcome is not Outcome.MISSING)
    if isinstance(target, AppTarget):
        text = f"the app gets SCRIPT_NAME {route.path!r}, PATH_INFO {rest!r}"
        return Step(mount, route.kind, text, True)
    return _proxy_step(mount, target, instance.aliases[target.alias], path, deeper)


def _proxy_step(mount: Mount, target: ProxyTarget, alias: Alias, path: str, deeper: Sequence[str]) -> Step:
    line = RequestLine("GET", quote_path(path.encode("latin-1")).encode("ascii"), 1)
    try:
        asked = Remap(route_path(mount.path), target.remap, deeper=deeper).target(line)
    except ProtocolError as error:
        return Step(mount, RouteKind.PROXY, f"refused: {error.status}, {error.reason}", True)
    members = ", ".join(_shown_member(member) for member in alias.members)
    return Step(mount, RouteKind.PROXY, f"passed to a member of @{alias.name} ({members}) as {asked.decode()}", True)


def _shown_member(member: Member) -> str:
    """Its address, and its weight if it is not that of all."""
    address = f"unix:{member.path}" if member.path is not None else f"{uri_host(member.host)}:{member.port}"
    return address if member.weight == 1 else f"{address} {member.weight}"


def place(origin: Origin) -> str:
    return f"{short(Path(origin.path))}:{origin.line}" if origin.line else str(origin)


def _step_line(number: int, step: Step, style: Style) -> str:
    verdict = style.paint("answers", Tone.GOOD) if step.answers else style.paint("goes on", Tone.WARNING)
    kind = step.kind.name.lower()
    return (
        f"{number}. {verdict}  {step.mount.path} = {show_target(step.mount.target)} ({place(step.mount.origin)})\n"
        f"            {kind}: {step.text}"
    )
