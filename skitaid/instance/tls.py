"""From a conf to TLS: contexts with their certificates, made by the master before it forks, while it may read keys that
only root can read. Imported by instances that serve TLS.

Workers that were forked with the same contexts have the same ticket keys: a session begun with one of them is resumed
with any other of its generation.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from skitaid.config.certificates import certificates_of, load_authorities, load_chain
from skitaid.config.model import Certificate, Instance, Tls
from skitaid.config.report import UnfitError
from skitaid.engine.tls import TlsServer
from skitaid.engine.tls_context import CertificateChoice, server_context
from skitaid.exceptions import ConfError, Problem

__all__ = ["certificate_files", "make_tls"]


def make_tls(instance: Instance) -> TlsServer:
    """What the instance's TCP addresses speak. Raises ConfError."""
    tls = instance.server.tls
    assert tls is not None
    try:
        return TlsServer(_contexts(instance, tls))
    except UnfitError as error:
        raise ConfError([Problem(str(instance.path), 0, error.text, error.fix)]) from error


def certificate_files(instance: Instance) -> Iterator[Path]:
    """What `make_tls` reads."""
    for certificate, _ in certificates_of(instance):
        yield certificate.certfile
        if certificate.keyfile is not None:
            yield certificate.keyfile
    tls = instance.server.tls
    if tls is not None and tls.client_ca is not None:
        yield tls.client_ca


def _contexts(instance: Instance, tls: Tls) -> ssl.SSLContext:
    """The context for whoever asks for no known host; it knows those of the others."""
    made: dict[Certificate, ssl.SSLContext] = {}
    exact: dict[str, ssl.SSLContext] = {}
    domains: dict[str, ssl.SSLContext] = {}
    protocols = ("h2", "http/1.1") if instance.server.http2 else ("http/1.1",)
    first = tls.certificate or next(certificate for certificate, _ in certificates_of(instance))
    for certificate in (first, *(certificate for certificate, _ in certificates_of(instance))):
        if certificate not in made:
            made[certificate] = _context(certificate, tls, protocols)
    for host in instance.hosts:
        chosen = host.certificate or tls.certificate
        for name in host.names if chosen is not None else ():
            assert chosen is not None
            (domains if name.startswith(".") else exact)[name] = made[chosen]
    default = made[first]
    if len(made) > 1:
        # Sessions and tickets are the default's, whatever certificate the client gets.
        default.sni_callback = CertificateChoice(exact, domains)
    return default


def _context(certificate: Certificate, tls: Tls, protocols: Sequence[str]) -> ssl.SSLContext:
    context = server_context(protocols)
    load_chain(context, certificate)
    if tls.client_ca is not None:
        load_authorities(context, tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.client_cert == "required" else ssl.CERT_OPTIONAL
    return context
