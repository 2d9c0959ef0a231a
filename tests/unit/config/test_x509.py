"""Certificates, read without OpenSSL. The `cryptography` package made them, and says what is in them."""

from __future__ import annotations

import pytest

from skitaid.config.x509 import MalformedError, covers, read_certificates
from tests.certificates import make


def test_what_a_certificate_says_of_itself() -> None:
    made = make("www.example.com", "*.Example.org", "192.0.2.1", "2001:db8::1", common_name="Bücher")
    [facts] = read_certificates(b"some text before\n" + made.certificate)
    assert facts.names == ("www.example.com", "*.example.org", "192.0.2.1", "2001:db8::1")
    assert (facts.subject, facts.issuer, facts.is_self_signed) == ("Bücher", "Bücher", True)
    assert facts.begins_s == made.x509.not_valid_before_utc.timestamp()
    assert facts.ends_s == made.x509.not_valid_after_utc.timestamp()


def test_a_chain_is_read_in_order() -> None:
    authority = make("authority.example", is_authority=True, days=(-1, 365 * 40))
    facts = read_certificates(make("a.example", issuer=authority).certificate + authority.certificate)
    assert [each.subject for each in facts] == ["a.example", "authority.example"]
    assert [each.is_self_signed for each in facts] == [False, True]
    # Beyond 2049 times are written in another form.
    assert facts[1].ends_s == authority.x509.not_valid_after_utc.timestamp()


def test_without_other_names_the_common_name_counts() -> None:
    [facts] = read_certificates(make(common_name="Old.example").certificate)
    assert facts.names == ("old.example",)


@pytest.mark.parametrize("pem", [
    b"", b"-", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    b"-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIQ\n-----END CERTIFICATE-----\n",
    b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
])  # fmt: skip
def test_what_is_none_is_told(pem: bytes) -> None:
    with pytest.raises(MalformedError):
        read_certificates(pem)


def test_a_certificate_cut_anywhere_is_told() -> None:
    text = make("a.example").certificate.split(b"\n")
    body = b"".join(text[1:-2])
    for length in range(4, len(body), 4):
        pem = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % body[:length]
        with pytest.raises(MalformedError):
            read_certificates(pem)
        if length > 200:
            break


@pytest.mark.parametrize(("names", "host", "is_covered"), [
    (("a.example",), "a.example", True), (("a.example",), "A.EXAMPLE", True), (("a.example",), "b.example", False),
    (("*.example",), "a.example", True), (("*.example",), "a.b.example", False), (("*.example",), "example", False),
    (("*.example",), ".example", True), (("example",), ".example", True), (("a.example",), ".example", False),
])  # fmt: skip
def test_which_hosts_it_is_for(names: tuple[str, ...], host: str, is_covered: bool) -> None:
    assert covers(names, host) is is_covered
