"""Who may use the forward proxy, and where it leads."""

from __future__ import annotations

import pytest

from skitaid.handlers.forward.policy import TargetPolicy, is_public, is_this_machine, may_be_asked


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.1.1.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "255.255.255.255", "224.0.0.1", "240.1.1.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::1", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808",
        "2001:0:808:808:0:0:f5ff:fffe", "localhost", "", "example.com",
    ],
)  # fmt: skip
def test_what_is_not(address: str) -> None:
    assert not is_public(address)


def test_an_address_of_this_machine() -> None:
    assert is_this_machine("127.0.0.1")
    assert is_this_machine("127.9.9.9")
    assert not is_this_machine("192.0.2.1")


@pytest.mark.parametrize(
    ("port", "may"), [(80, True), (443, True), (1024, True), (65535, True), (25, False), (22, False)]
)
def test_ports(port: int, may: bool) -> None:
    assert may_be_asked(port) is may


def policy(allow: str, deny: str = "", own: str = "9.9.9.9") -> TargetPolicy:
    return TargetPolicy(allow.split(), deny.split(), is_own=lambda address: address == own)


@pytest.mark.parametrize(
    ("allow", "deny", "host", "address", "may"),
    [
        ("public", "", "a.example", "8.8.8.8", True),
        ("public", "", "a.example", "10.0.0.1", False),
        ("public", "", "a.example", "9.9.9.9", False),
        ("public 9.9.9.9", "", "a.example", "9.9.9.9", True),
        ("public 10.0.0.0/8", "", "a.example", "10.0.0.1", True),
        ("public 10.0.0.0/8", "10.0.0.1", "a.example", "10.0.0.1", False),
        ("public", "8.8.8.8", "a.example", "8.8.8.8", False),
        ("10.0.0.0/8", "", "a.example", "8.8.8.8", False),
        ("any", "", "a.example", "127.0.0.1", True),
        ("any", "127.0.0.0/8", "a.example", "127.0.0.1", False),
        ("any", "127.0.0.0/8", "a.example", "::ffff:127.0.0.1", False),
        ("any", "public", "a.example", "8.8.8.8", False),
        ("any", "any", "a.example", "8.8.8.8", False),
        ("intranet.local", "", "intranet.local", "10.0.0.1", True),
        ("intranet.local", "", "INTRANET.local.", "10.0.0.1", True),
        ("intranet.local", "", "a.intranet.local", "10.0.0.1", False),
        (".intranet.local", "", "a.intranet.local", "10.0.0.1", True),
        (".intranet.local", "", "intranet.local", "10.0.0.1", True),
        (".intranet.local", "", "xintranet.local", "10.0.0.1", False),
        ("public", ".evil.example", "www.evil.example", "8.8.8.8", False),
        ("public", "www.evil.example", "www.evil.example.", "8.8.8.8", False),
        ("intranet.local", "10.0.0.0/8", "intranet.local", "10.0.0.1", False),
    ],
)  # fmt: skip
def test_where_it_leads(allow: str, deny: str, host: str, address: str, may: bool) -> None:
    assert policy(allow, deny).may_reach(host, address) is may


def test_names_that_are_not_even_looked_up() -> None:
    assert not policy("public", ".evil.example").may_name("www.evil.example")
    assert not policy("public", "any").may_name("www.example")
    assert policy("10.0.0.0/8").may_name("www.example")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:808:808:0:0:f5ff:fffe", "0.0.0.0",
        "::", "::ffff:0.0.0.0", "127.0.0.1", "::1",
    ],
)  # fmt: skip
def test_what_is_denied_is_denied_by_every_address_that_leads_there(address: str) -> None:
    given = policy("any", "10.0.0.0/8 127.0.0.0/8 ::1/128")
    assert not given.may_reach("a", address)
    assert given.may_reach("a", "192.0.2.1")
