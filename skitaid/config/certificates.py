"""Whether certificates can be served: what is missing, broken, does not fit its key or is past its time is a mistake
like any other in a conf, told with a reason before anything depends on it.

Only OpenSSL can tell whether a key fits. It is imported where there is TLS, and in a process that stays small it is
asked in a child of its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from skitaid.config.model import Certificate, Instance
from skitaid.config.report import UnfitError
from skitaid.config.x509 import CertificateFacts, MalformedError, covers, read_certificates
from skitaid.exceptions import Problem

if TYPE_CHECKING:
    import ssl

__all__ = ["certificate_problems", "certificates_of", "facts_of", "load_authorities", "load_chain"]

DAY_S: Final = 86400


def certificates_of(instance: Instance) -> Iterator[tuple[Certificate, tuple[str, ...]]]:
    """The certificates that an instance serves, and the hosts that each is for; none: whoever asks for another."""
    tls = instance.server.tls
    if tls is None:
        return
    if tls.certificate is not None:
        others = (host for host in instance.hosts if host.certificate is None)
        yield tls.certificate, tuple(name for host in others for name in host.names)
    for host in instance.hosts:
        if host.certificate is not None:
            yield host.certificate, host.names


def certificate_problems(instance: Instance, *, now: Callable[[], float] = time.time) -> list[Problem]:
    """An error for each certificate that can't be served, a warning for each that some clients will refuse."""
    if instance.server.tls is None:
        return []
    if "ssl" in sys.modules:
        return _problems(instance, now())
    return _apart(lambda: _problems(instance, now()))


def facts_of(certificate: Certificate) -> CertificateFacts:
    """Of the server's own, not of the authorities that come with it. Raises UnfitError."""
    path = certificate.certfile
    try:
        return read_certificates(path.read_bytes())[0]
    except MalformedError as error:
        raise UnfitError(f"{path}: {error}", "expected a PEM file that begins with the certificate") from error
    except OSError as error:
        raise UnfitError(f"{path}: {error.strerror}") from error


def load_chain(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Have `context` serve it. Raises UnfitError."""
    import ssl

    was_asked = False

    def passphrase() -> str:
        nonlocal was_asked
        was_asked = True
        return certificate.passphrase or ""

    key_path = certificate.keyfile or certificate.certfile
    try:
        _check_key(key_path)
        context.load_cert_chain(certificate.certfile, certificate.keyfile, passphrase)
    except ssl.SSLError as error:
        raise _explained(certificate, key_path, error.reason or "", is_locked=was_asked) from error
    except (OSError, ValueError) as error:
        raise UnfitError(f"{certificate.certfile} with key {key_path}: {error}") from error


def load_authorities(context: ssl.SSLContext, path: Path) -> None:
    """Have clients' certificates verified by those in `path`. Raises UnfitError."""
    try:
        read_certificates(path.read_bytes())
        context.load_verify_locations(path)
    except (MalformedError, OSError) as error:
        raise UnfitError(f"{path}: {error}", "expected a PEM file of the authorities that sign certificates") from error


def _check_key(path: Path) -> None:
    if b"PRIVATE KEY-----" not in path.read_bytes():
        raise UnfitError(f"there is no private key in {path}", "name the file that has it: keyfile = NAME.key")


def _explained(certificate: Certificate, key_path: Path, reason: str, *, is_locked: bool) -> UnfitError:
    if reason == "KEY_VALUES_MISMATCH":
        text = f"the key in {key_path} does not belong to the certificate in {certificate.certfile}"
        return UnfitError(text, "name the key that it was made with; the certificate comes first in its file")
    if is_locked and not certificate.passphrase:
        return UnfitError(f"the key in {key_path} is locked", "add passphrase = …")
    if is_locked:
        return UnfitError(f"the passphrase does not open the key in {key_path}", "correct passphrase = …")
    words = reason.lower().replace("_", " ")
    return UnfitError(f"{certificate.certfile} with key {key_path} can't be used: OpenSSL says {words}")


# ---------------------------------------------------------------- judging


def _problems(instance: Instance, now_s: float) -> list[Problem]:
    import ssl

    found: list[Problem] = []
    path = str(instance.path)
    for certificate, hosts in certificates_of(instance):
        try:
            facts = facts_of(certificate)
            load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate)
        except UnfitError as error:
            found.append(Problem(path, certificate.origin.line, f"certfile: {error.text}", error.fix))
        else:
            found += _doubts(certificate, facts, hosts, path=path, now_s=now_s)
    tls = instance.server.tls
    if tls is not None and tls.client_ca is not None:
        try:
            load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.client_ca)
        except UnfitError as error:
            found.append(Problem(path, 0, f"client_ca: {error.text}", error.fix))
    return found


def _doubts(
    certificate: Certificate, facts: CertificateFacts, hosts: Iterable[str], *, path: str, now_s: float
) -> Iterator[Problem]:
    line, file = certificate.origin.line, certificate.certfile
    if facts.ends_s <= now_s:
        days = int((now_s - facts.ends_s) // DAY_S)
        text = f"certfile: {file} has expired, {_date(facts.ends_s)}, {days} days ago: clients refuse it"
        yield Problem(path, line, text, "renew it")
    elif facts.begins_s > now_s + DAY_S:
        yield Problem(path, line, f"certfile: {file} is valid from {_date(facts.begins_s)} on", "is the clock right?")
    missed = [name for name in hosts if not covers(facts.names, name)]
    if missed:
        text = f"certfile: {file} is for {', '.join(facts.names) or 'no host'}, not for {', '.join(missed)}"
        fix = f"a certificate for it: certfile in a section [{missed[0]}]"
        yield Problem(path, line, text, fix, is_warning=True)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


# ---------------------------------------------------------------- in a child


def _apart(look: Callable[[], list[Problem]]) -> list[Problem]:
    """What `look` gives, found in a forked child, which takes the memory with it that OpenSSL needs. Only for a process
    without threads."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(look, write_fd)
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        data = pipe.read()
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    import json  # imported late: only a conf with TLS pays for it

    if not data:
        return [Problem("", 0, "certificates could not be looked at: the process that was to do it failed")]
    return [Problem(*fields) for fields in json.loads(data)]


def _be_child(look: Callable[[], list[Problem]], write_fd: int) -> None:
    import json

    code = 1
    try:
        found = [(each.path, each.line, each.text, each.fix, each.is_warning) for each in look()]
        os.write(write_fd, json.dumps(found).encode())
        code = 0
    finally:
        os._exit(code)
