"""Which certificates of members are believed: the same ones under every version of Python."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from skitaid.upstream.settings import TlsSettings
from skitaid.upstream.tls import context_for
from tests.certificates import Made, make, meet

AUTHORITY = make("authority.example", is_authority=True)
BY_HAND = make("by-hand.example", is_authority=True, is_plain=True)


def agree(tmp_path: Path, member: Made, trusted: Made) -> None:
    """A handshake of a member and us, who trust one certificate. Raises ssl.SSLError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*member.write(tmp_path, "member"))
    trusted.write(tmp_path, "ca")
    meet(server, context_for(TlsSettings(ca=str(tmp_path / "ca.pem"))), "localhost")


@pytest.mark.parametrize(("member", "trusted"), [
    (make("localhost", issuer=AUTHORITY), AUTHORITY),
    (make("localhost", issuer=BY_HAND, is_plain=True), BY_HAND),
], ids=["whole", "made by hand"])  # fmt: skip
def test_an_authority_s(tmp_path: Path, member: Made, trusted: Made) -> None:
    agree(tmp_path, member, trusted)


@pytest.mark.parametrize("issuer", [None, AUTHORITY], ids=["self-signed", "an authority's"])
@pytest.mark.parametrize("is_plain", [False, True])
def test_the_member_s_own_is_the_one_that_is_trusted(tmp_path: Path, issuer: Made | None, is_plain: bool) -> None:
    member = make("localhost", issuer=issuer, is_plain=is_plain)
    agree(tmp_path, member, member)


@pytest.mark.parametrize("member", [
    make("localhost", issuer=AUTHORITY), make("localhost"), make("other.example", issuer=BY_HAND),
    make("localhost", issuer=BY_HAND, days=(-9, -1)),
], ids=["another's", "self-signed", "for another name", "expired"])  # fmt: skip
def test_refused(tmp_path: Path, member: Made) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        agree(tmp_path, member, BY_HAND)
