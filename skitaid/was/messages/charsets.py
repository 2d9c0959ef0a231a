"""Text of a body, by the charset that its content type names. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

from skitaid.was.messages.content_types import parameter

__all__ = ["charset_of", "to_text"]

# Encodings of text that pages and programs are written in. Python knows others by such names, some of which are no text
# encodings, or take the square of the length (punycode, idna).
_KNOWN: Final = re.compile(
    r"utf[-_]?(8|16|32)([-_]?[lb]e)?|utf[-_]8[-_]sig|us[-_]?ascii|ascii|latin[-_]?\d+|iso[-_]?8859[-_]\d+"
    r"|iso[-_]?2022[-_](jp|kr)([-_]\w+)?|windows[-_]\d+|cp\d+|koi8[-_]\w|gb(k|2312|18030)|big5([-_]?hkscs)?"
    r"|euc[-_](jp|kr|jis[-_]2004)|shift[-_]jis|sjis|johab|hz|mac[-_]?roman|tis[-_]?620|viscii|ks[-_]c[-_]5601[-_]1987",
    re.ASCII | re.IGNORECASE,
).fullmatch


def charset_of(content_type: str) -> str | None:
    """The charset that it names, when it is one of a text; None else."""
    name = (parameter(content_type, "charset") or "").strip()
    if not _KNOWN(name):
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def to_text(body: bytes, content_type: str) -> str:
    """`body` as text. Never fails: what does not fit the charset becomes U+FFFD. Without a charset it is UTF-8, or
    Latin-1 when it is not."""
    charset = charset_of(content_type)
    if charset is not None:
        return body.decode(charset, "replace").removeprefix("\ufeff")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")
