from __future__ import annotations

import pytest

from skitaid.cli.urls import url_of, urls_of


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0.0.0.0:5000", "http://127.0.0.1:5000/"),
        ("127.0.0.1:80", "http://127.0.0.1/"),
        ("[::]:5000", "http://[::1]:5000/"),
        ("[fe80::1]:5000", "http://[fe80::1]:5000/"),
        ("unix:/run/site.sock", "unix:/run/site.sock"),
    ],
)
def test_an_address_becomes_what_a_browser_opens(address: str, url: str) -> None:
    assert url_of(address) == url


def test_tls_has_its_own_scheme_and_port() -> None:
    assert url_of("10.0.0.1:443", is_tls=True) == "https://10.0.0.1/"
    assert url_of("10.0.0.1:80", is_tls=True) == "https://10.0.0.1:80/"


def test_the_same_url_is_given_once() -> None:
    assert urls_of(["0.0.0.0:5000", "127.0.0.1:5000"]) == ["http://127.0.0.1:5000/"]
