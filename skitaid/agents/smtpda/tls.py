"""What TLS with a mail server is made of: contexts, and the authorities in them.

Made with the first mail that needs one and forgotten when there is nothing to do: the system's authorities are 1 MB.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from os import listdir
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["context", "folder_of_all", "forget"]

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+", re.ASCII)
"""How OpenSSL finds an authority in a folder (openssl-rehash(1))."""
_BEGIN = re.compile(rb"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")


@lru_cache(maxsize=4)
def context(cafile: Path | None, *, is_verified: bool) -> SSLContext:
    """`cafile`: authorities beside the system's. Raises OSError for one that cannot be read, or is none."""
    import ssl  # few need it, and it costs memory

    if not is_verified:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made
    paths = ssl.get_default_verify_paths()
    made = ssl.create_default_context(capath=folder_of_all(paths.cafile, paths.capath))
    if cafile is not None:
        made.load_verify_locations(cafile)
    # As for members (upstream.tls): which certificates are taken must not depend on the version of Python.
    made.verify_flags = made.verify_flags & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def forget() -> None:
    context.cache_clear()


def folder_of_all(cafile: str | None, capath: str | None) -> str | None:
    """The system's folder of authorities, out of which OpenSSL reads the one that it needs, when it has as many as the
    file of all; else None: the file has to be loaded."""
    in_folder = in_file = 0
    with suppress(OSError):
        in_folder = sum(_HASHED.fullmatch(name) is not None for name in listdir(capath or ""))
    with suppress(OSError):
        in_file = len(_BEGIN.findall(Path(cafile or "").read_bytes()))
    return capath if in_folder and in_folder >= in_file else None
