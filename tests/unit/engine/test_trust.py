from __future__ import annotations

import pytest

from skitaid.engine.trust import NEAR, TrustedPeers, pack, plain_address


@pytest.mark.parametrize(
    ("names", "address", "is_trusted"),
    [
        (("127.0.0.1/32",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.2", False),
        (("10.0.0.0/8",), "10.255.3.4", True),
        (("10.0.0.0/8",), "11.0.0.0", False),
        (("192.0.2.128/25",), "192.0.2.128", True),
        (("192.0.2.128/25",), "192.0.2.127", False),
        (("0.0.0.0/0",), "203.0.113.9", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("::/0",), "203.0.113.9", False),
        (("2001:db8::/32",), "2001:db8:ffff::1", True),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("::1/128",), "::1", True),
        (("10.0.0.0/8", "::1"), "0:0:0:0:0:0:0:1", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("::ffff:10.0.0.0/104",), "10.1.2.3", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("10.0.0.0/8",), "10.0.0", False),
        (("10.0.0.0/8",), "unknown", False),
        (("10.0.0.0/8",), "", False),
        (("unix",), "", True),
        (("unix",), "127.0.0.1", False),
        (("unix",), "unix", False),
        ((), "127.0.0.1", False),
        ((), "", False),
    ],
)
def test_who_is_trusted(names: tuple[str, ...], address: str, is_trusted: bool) -> None:
    peers = TrustedPeers(names)
    # twice, because answers are kept
    assert [peers.holds(address), peers.holds(address)] == [is_trusted, is_trusted]


def test_nobody_is_trusted_when_nobody_is_named() -> None:
    assert not TrustedPeers()
    assert TrustedPeers(["unix"])
    assert TrustedPeers(["10.0.0.0/8"])


@pytest.mark.parametrize("name", ["", "localhost", "10.0.0.0/33", "10/8", "::1/129", "::ffff:10.0.0.0/8"])
def test_a_name_that_is_no_network_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="is not a network"):
        TrustedPeers([name])


def test_what_is_kept_of_strangers_is_bounded() -> None:
    peers = TrustedPeers(["10.0.0.0/8"])
    for number in range(5000):
        assert not peers.holds(f"192.0.{number // 256}.{number % 256}")
        assert peers.holds("10.0.0.1")
    assert len(peers._kept) <= 1024


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.256", None),
        ("192.0.2", None),
        ("0x7f.1", None),
        ("2001:db8::1::2", None),
        ("example.com", None),
        ("", None),
        ("192.0.2.1\0", None),
        ("caf\xe9", None),
    ],
)
def test_the_usual_text_of_an_address(address: str, expected: str | None) -> None:
    assert plain_address(address) == expected
    assert (pack(address) is None) == (expected is None)


@pytest.mark.parametrize(
    ("address", "is_near"),
    [("127.0.0.9", True), ("172.31.0.1", True), ("172.32.0.1", False), ("::1", True), ("", True), ("8.8.8.8", False)],
)
def test_what_is_nearby(address: str, is_near: bool) -> None:
    assert NEAR.holds(address) == is_near
