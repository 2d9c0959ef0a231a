"""What doctor looks at for one instance: its ports and rights, its interpreter, its certificate."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from skitaid.cli.doctor_spool import check_spool
from skitaid.cli.finding import Finding, fine, warning, wrong
from skitaid.cli.ports import Availability, availability
from skitaid.config.certificates import certificates_of, facts_of
from skitaid.config.identity import identity_of
from skitaid.config.model import Certificate, Instance, Listen, Main, ProxyTarget, StaticTarget
from skitaid.config.report import UnfitError
from skitaid.supervisor.spawn import interpreter

PYTHON_WANTED = (3, 11)
PYTHON_TIMEOUT_S = 10
TRY_TO_READ = "import os, sys; [print(path) for path in sys.argv[1:] if not os.access(path, os.R_OK)]"
EXPIRY_NOTICE_S = 14 * 86400


def check_instance(instance: Instance, main: Main, *, is_running: bool) -> Iterator[Finding]:
    """`is_running`: the daemon has this instance up, so its addresses are rightly taken."""
    for listen in instance.server.listen:
        yield check_address(instance, listen, is_running=is_running)
    yield check_python(instance, main)
    yield from check_reach(instance, main)
    yield from check_spool(instance, main)
    if instance.server.tls is not None:
        for certificate, _ in certificates_of(instance):
            yield from check_certificate(instance.name, certificate)


def check_conf(instance: Instance) -> Iterator[Finding]:
    """What loading it warned about, e.g. apps that run as root."""
    for problem in instance.warnings:
        yield warning(instance.name, f"{problem.where}: {problem.text}", problem.fix)
    if not instance.warnings:
        yield fine(instance.name, f"{instance.path} is in order")


def check_address(instance: Instance, listen: Listen, *, is_running: bool) -> Finding:
    """Whether that address can be listened on. `is_running`: the instance does so itself."""
    if is_running:
        return fine(instance.name, f"{listen} is served by the running daemon")
    found = availability(listen)
    if found is Availability.FREE:
        return fine(instance.name, f"{listen} is free")
    text, fix = _refusal(found, listen)
    return wrong(instance.name, f"{listen} {text}", f"{fix} ({listen.origin})")


def _refusal(found: Availability, listen: Listen) -> tuple[str, str]:
    if found is Availability.TAKEN and listen.path is not None:
        return "is there already and in use", "stop what uses it, or name another path"
    if found is Availability.TAKEN:
        return "is in use by another program", f"see who: ss -ltnp 'sport = :{listen.port}'; stop it or change the port"
    if found is Availability.FORBIDDEN and listen.path is not None:
        return "cannot be made: its folder is missing or not writable", "make that folder writable"
    if found is Availability.FORBIDDEN:
        return (
            f"may not be used by user {os.geteuid()}",
            f"start as root, take a port from 1024 up, or: sysctl net.ipv4.ip_unprivileged_port_start={listen.port}",
        )
    return "is not an address of this machine", "see those of this machine: ip -brief address"


def check_python(instance: Instance, main: Main) -> Finding:
    """The interpreter of the instance runs and is young enough."""
    python = interpreter(instance.server.python or main.global_.python, sys.executable)
    try:
        shown = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:3])"],
            check=True,
            text=True,
            capture_output=True,
            timeout=PYTHON_TIMEOUT_S,
        ).stdout
        version = tuple(int(part) for part in shown.split())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return wrong(
            instance.name,
            f"its python {python} does not run: {error}",
            f"set python in {instance.path} to an interpreter or a virtual environment's folder",
        )
    text = f"python {'.'.join(map(str, version))} ({python})"
    if version[:2] < PYTHON_WANTED:
        return wrong(instance.name, f"{text} is too old", f"skitaid needs 3.11: set python in {instance.path}")
    return fine(instance.name, text)


def check_reach(instance: Instance, main: Main) -> Iterator[Finding]:
    """Whether the user that workers become can read what is mounted and run their python. Only root can try."""
    identity = identity_of(instance.server, main.global_)
    if identity is None:
        return
    user = identity.user
    python = interpreter(instance.server.python or main.global_.python, sys.executable)
    try:
        done = subprocess.run(
            [python, "-c", TRY_TO_READ, *mounted(instance)],
            check=True,
            text=True,
            cwd="/",
            capture_output=True,
            timeout=PYTHON_TIMEOUT_S,
            user=identity.uid,
            group=identity.gid,
            extra_groups=os.getgrouplist(user, identity.gid),
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield wrong(
            instance.name,
            f"user {user} cannot run {python}: {error}",
            f"give {user} access to it and to the folders above it, or set another python",
        )
        return
    for path in done.stdout.splitlines():
        yield wrong(
            instance.name,
            f"user {user} cannot read {path}",
            f"give {user} access to it and to the folders above it: namei -l {quote(path)} shows their rights",
        )


def mounted(instance: Instance) -> list[str]:
    """The files and folders of the machine that an instance serves from."""
    targets = [mount.target for host in instance.hosts for mount in host.mounts]
    paths = [
        target.root if isinstance(target, StaticTarget) else target.module
        for target in targets
        if not isinstance(target, ProxyTarget)
    ]
    return list(dict.fromkeys(map(str, paths)))


def check_certificate(name: str, certificate: Certificate) -> Iterator[Finding]:
    """Valid for some time yet. That its key belongs to it was found out when the conf was loaded."""
    try:
        facts = facts_of(certificate)
    except UnfitError as error:
        yield wrong(name, error.text, error.fix)
        return
    yield expiry_finding(name, certificate.certfile, facts.ends_s - time.time())
    if facts.is_self_signed:
        yield warning(
            name,
            f"certificate {certificate.certfile} is self-signed: browsers warn of it",
            "fine to try things out; for others to visit, get one from an authority (docs/https.md)",
        )


def expiry_finding(name: str, certfile: Path, left_s: float) -> Finding:
    """`left_s`: how long the certificate is valid yet, negative when it has ended."""
    days = int(abs(left_s) // 86400)
    if left_s < 0:
        return wrong(name, f"certificate {certfile} ended {days} days ago", "renew it, then reload")
    if left_s < EXPIRY_NOTICE_S:
        return warning(name, f"certificate {certfile} ends in {days} days", "renew it, then reload")
    return fine(name, f"certificate {certfile} is valid for {days} days and fits its key")
