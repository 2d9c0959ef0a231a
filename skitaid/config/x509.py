"""What a certificate says of itself (RFC 5280 section 4.1), read without OpenSSL: until when it is valid and for which
names. Nothing here judges whether it is to be believed.
"""

from __future__ import annotations

import binascii
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["CertificateFacts", "MalformedError", "covers", "read_certificates"]

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL
)
_UTC_TIME: Final = 0x17
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_ADDRESS: Final = 0x87
_COMMON_NAME: Final = bytes.fromhex("550403")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")


class MalformedError(ValueError):
    """No certificate, or none that can be read."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says. `names`: the hosts and addresses that it is for, hosts in lower case. `begins_s`,
    `ends_s`: seconds since the epoch. `subject` and `issuer`: common names. `is_self_signed`: as far as the names
    tell."""

    names: tuple[str, ...]
    subject: str
    issuer: str
    begins_s: float
    ends_s: float
    is_self_signed: bool


def read_certificates(pem: bytes) -> list[CertificateFacts]:
    """Those in a file, in order: first the server's own, then the authorities between. Raises MalformedError, also for
    a file without one."""
    blocks = _BLOCK.findall(pem)
    if not blocks:
        raise MalformedError("there is no certificate in it")
    try:
        return [_facts(binascii.a2b_base64(block)) for block in blocks]
    except (binascii.Error, IndexError, StopIteration, UnicodeDecodeError, ValueError) as error:
        raise MalformedError("the certificate in it can't be read") from error


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for `names` is good for `host` (RFC 9525 section 6.3): `*` stands for one label. A domain
    with a dot in front is taken for any host right below it."""
    host = host.lower()
    if host in names:
        return True
    label, dot, parent = host.partition(".")
    return bool(dot) and (f"*.{parent}" in names if label else f"*{host}" in names or parent in names)


@dataclass(frozen=True, slots=True)
class _Value:
    """A part of DER: its `tag`, its content, and how it is written."""

    tag: int
    content: bytes
    raw: bytes

    def parts(self) -> Iterator[_Value]:
        at = 0
        while at < len(self.content):
            part = _read(self.content, at)
            at += len(part.raw)
            yield part


def _read(data: bytes, at: int) -> _Value:
    """The part that begins at `at`. Raises IndexError, ValueError."""
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if begin + length > len(data):
        raise ValueError("a part is longer than the whole")
    return _Value(tag, data[begin : begin + length], data[at : begin + length])


def _facts(der: bytes) -> CertificateFacts:
    signed = next(_read(der, 0).parts())
    fields = [part for part in signed.parts() if part.tag != _VERSION]
    # serial number, algorithm, issuer, validity, subject, key, and what may follow
    issuer, validity, subject = fields[2:5]
    begins_s, ends_s = (_seconds(each) for each in validity.parts())
    common_name = _common_name(subject)
    names = tuple(_alternative_names(fields)) or ((common_name.lower(),) if common_name else ())
    return CertificateFacts(
        names, common_name, _common_name(issuer), begins_s, ends_s, is_self_signed=issuer.raw == subject.raw
    )


def _seconds(value: _Value) -> float:
    from calendar import timegm  # half a megabyte, which strptime takes anyway

    text = value.content.decode("ascii")
    if value.tag == _UTC_TIME:
        # RFC 5280 section 4.1.2.5.1
        text = f"{'19' if text >= '50' else '20'}{text}"
    return float(timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))


def _common_name(name: _Value) -> str:
    for group in name.parts():
        for attribute in group.parts():
            kind, value = attribute.parts()
            if kind.content == _COMMON_NAME:
                return value.content.decode("utf-8", "replace")
    return ""


def _alternative_names(fields: list[_Value]) -> Iterator[str]:
    extensions = next((part for part in fields[6:] if part.tag == _EXTENSIONS), None)
    if extensions is None:
        return
    for extension in next(extensions.parts()).parts():
        parts = list(extension.parts())
        if parts[0].content == _ALTERNATIVE_NAMES:
            yield from _hosts(_read(parts[-1].content, 0))


def _hosts(names: _Value) -> Iterator[str]:
    """The host names and addresses among alternative names."""
    for name in names.parts():
        if name.tag == _DNS_NAME:
            yield name.content.decode("ascii").lower()
        elif name.tag == _ADDRESS:
            family = socket.AF_INET if len(name.content) == 4 else socket.AF_INET6
            yield socket.inet_ntop(family, name.content)
