"""The parts of a mail (RFC 2045, RFC 2046): text, files, and what holds several. Pure. Everything is 7-bit, so that
every server takes it unchanged."""

from __future__ import annotations

import os
import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass

from skitaid.agents.smtpda.fields import parameter
from skitaid.agents.smtpda.wire import LINE_MAX

__all__ = ["Part", "data_part", "multipart", "text_part"]

BASE64_OCTETS = 57
"""Lines of 76 characters."""
BLOCK_OCTETS = BASE64_OCTETS * 1000
_LINE_END = re.compile(r"\r\n|\r|\n")
_CLEAR = re.compile(rb"[\t\r\n\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Part:
    """Its fields, and its body, each ending with CRLF."""

    header: str
    body: bytes

    def to_bytes(self) -> bytes:
        return self.header.encode() + b"\r\n" + self.body


def text_part(subtype: str, text: str) -> Part:
    """text/`subtype`, with a line end at its end. Raises UnicodeError for half a character."""
    octets = "\r\n".join(_LINE_END.split(text)).encode()
    octets = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
    encoding, body = _encoded(octets)
    return Part(f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n', body)


def data_part(
    content_type: str, data: bytes, disposition: str, *, name: str | None = None, cid: str | None = None
) -> Part:
    """A file. `cid` is ASCII, without < and >. Raises UnicodeError."""
    lines = [
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {disposition}" + (parameter("filename", name) if name else ""),
    ]
    if cid is not None:
        lines.append(f"Content-ID: <{cid}>")
    return Part("".join(f"{line}\r\n" for line in lines), _base64(data))


def multipart(subtype: str, parts: Sequence[Part]) -> Part:
    """multipart/`subtype`; of one part, that part."""
    if len(parts) == 1:
        return parts[0]
    boundary = f"=_{os.urandom(16).hex()}"
    mark = b"--" + boundary.encode()
    # The line end before a mark is the mark's.
    pieces = [piece for part in parts for piece in (mark + b"\r\n", part.to_bytes(), b"\r\n")]
    return Part(
        f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n', b"".join([*pieces, mark + b"--\r\n"])
    )


def _encoded(octets: bytes) -> tuple[str, bytes]:
    """Lines as they are, when every server can take them; else what is shorter."""
    if _CLEAR.fullmatch(octets) and max(map(len, octets.split(b"\r\n"))) <= LINE_MAX:
        return "7bit", octets
    quoted, base64 = b2a_qp(octets, istext=True), _base64(octets)
    return ("quoted-printable", quoted) if len(quoted) <= len(base64) else ("base64", base64)


def _base64(data: bytes) -> bytes:
    """In blocks, as a file of 50 MB has a million lines."""
    view = memoryview(data)
    blocks = [_lines(view[start : start + BLOCK_OCTETS]) for start in range(0, len(data), BLOCK_OCTETS)]
    return b"".join(blocks) or b"\r\n"


def _lines(view: memoryview) -> bytes:
    return b"".join(
        [
            b2a_base64(view[start : start + BASE64_OCTETS], newline=False) + b"\r\n"
            for start in range(0, len(view), BASE64_OCTETS)
        ]
    )
