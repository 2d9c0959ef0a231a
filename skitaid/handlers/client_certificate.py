"""What an app is told of the certificate that its client showed."""

from __future__ import annotations

from typing import Any

from skitaid.engine.secure import SecureSocket

__all__ = ["client_variables", "tls_extension"]

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def client_variables(secure: SecureSocket | None) -> dict[str, str]:
    """For a WSGI environ, by the names that Apache's mod_ssl gave them. SSL_CLIENT_VERIFY is SUCCESS or NONE."""
    certificate = None if secure is None else secure.certificate
    if certificate is None:
        return {"SSL_CLIENT_VERIFY": "NONE"}
    return {
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_S_DN": certificate.subject,
        "SSL_CLIENT_S_DN_CN": certificate.name,
        "SSL_CLIENT_I_DN": certificate.issuer,
        "SSL_CLIENT_M_SERIAL": certificate.serial,
        "SSL_CLIENT_CERT": certificate.pem,
    }


def tls_extension(secure: SecureSocket | None) -> dict[str, Any]:
    """For an ASGI scope (https://asgi.readthedocs.io, TLS extension 0.2)."""
    certificate = None if secure is None else secure.certificate
    return {
        "server_cert": None,
        "client_cert_chain": [] if certificate is None else [certificate.pem],
        "client_cert_name": None if certificate is None else certificate.subject,
        "client_cert_error": None,
        "tls_version": None if secure is None else _VERSIONS.get(secure.version),
        "cipher_suite": None,
    }
