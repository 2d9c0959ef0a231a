"""How TLS is spoken: what Mozilla's guidelines call intermediate (https://wiki.mozilla.org/Security/Server_Side_TLS,
version 5.7), which every client since 2014 or so understands.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["CertificateChoice", "server_context"]

_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""Of TLS 1.2: forward secrecy and authenticated encryption alone. Those of TLS 1.3 are all of that kind. The list has
DHE too, for clients that know no elliptic curves; there are none left that know the rest."""


def server_context(protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """TLS 1.2 and 1.3, without a certificate yet. `protocols`: for ALPN (RFC 7301), the best first.

    Sessions are resumed by tickets. Their keys are the context's: processes that were forked with it accept each
    other's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # The client knows whether it has hardware for AES; all that is offered is good.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # An end of file without a goodbye would else be an error after which nothing more can be sent. OpenSSL 3 alone
    # takes it so seriously.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(list(protocols))
    return context


class CertificateChoice:
    """Which certificate a client gets: by the name that it asks for (RFC 6066 section 3), else the listener's own.
    `exact`: contexts by host name, `domains`: by a domain with its dot in front, for all below it; lower case."""

    def __init__(self, exact: Mapping[str, ssl.SSLContext], domains: Mapping[str, ssl.SSLContext]) -> None:
        self._exact = dict(exact)
        self._domains = dict(domains)

    def find(self, name: str) -> ssl.SSLContext | None:
        """As a request's host is found among the hosts: the longest domain wins, and a name goes before it."""
        found = self._exact.get(name)
        if found is not None or not self._domains:
            return found
        at = name.find(".")
        found = self._domains.get(f".{name}")
        while found is None and at >= 0:
            found = self._domains.get(name[at:])
            at = name.find(".", at + 1)
        return found

    def __call__(self, sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """For `SSLContext.sni_callback`. A name that nobody knows gets the listener's certificate: a client that can
        take it goes on, as it would with a name left out."""
        found = None if name is None else self.find(name.lower())
        if found is not None:
            sock.context = found
