"""Digest authentication (RFC 7616, with MD5 and qop=auth): the password does not travel. Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import md5
from typing import Final
from urllib.parse import unquote

__all__ = ["a1_hash", "is_for", "is_right", "parse_fields"]

_MAX_FIELD: Final = 8192
_FIELDS: Final = re.compile(r'([A-Za-z0-9*]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_NEEDED: Final = frozenset(("username", "realm", "nonce", "uri", "response", "nc", "cnonce", "qop"))
_IS_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}").fullmatch


def parse_fields(credentials: str) -> dict[str, str] | None:
    """Those of an Authorization field, behind its scheme; None: something that it needs is missing or wrong."""
    if len(credentials) > _MAX_FIELD:
        return None
    fields = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _FIELDS.findall(credentials)
    }
    if not fields.keys() >= _NEEDED or fields["qop"] != "auth" or _IS_COUNT(fields["nc"]) is None:
        return None
    return fields if fields.get("algorithm", "MD5").upper() == "MD5" else None


def a1_hash(username: str, realm: str, password: str) -> str:
    """What stands for a password: an app may keep this, and never see the password itself."""
    return _md5(f"{username}:{realm}:{password}")


def is_right(fields: Mapping[str, str], method: str, a1: str) -> bool:
    """Whether the response was made by someone who knows the password behind `a1`. Takes the same time if not."""
    parts = (a1, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], _md5(f"{method}:{fields['uri']}"))
    return hmac.compare_digest(_md5(":".join(parts)).encode(), fields["response"].lower().encode())


def is_for(fields: Mapping[str, str], uri: str) -> bool:
    """Whether it was made for that request: an answer to one address is none to another."""
    return unquote(fields["uri"]) == unquote(uri)


def _md5(text: str) -> str:
    return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
