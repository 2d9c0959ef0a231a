from __future__ import annotations

import pytest

from skitaid.protocols.dates import http_date, parse_http_date

EXAMPLE = 784111777
"""The moment that RFC 9110 section 5.6.7 writes in three ways."""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (EXAMPLE + 0.999, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"),
    ],
)
def test_a_date_is_written_in_the_preferred_form(seconds: float, text: str) -> None:
    assert http_date(seconds) == text


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_are_read(text: str) -> None:
    """RFC 9110 section 5.6.7: a recipient MUST accept all three."""
    assert parse_http_date(text) == EXAMPLE


@pytest.mark.parametrize("seconds", [0, 1, 68169599, 951782400, 1709164800, 4102444799])
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


@pytest.mark.parametrize(("year", "full"), [("68", 2068), ("69", 1969), ("99", 1999), ("00", 2000)])
def test_a_year_of_two_digits_is_placed_in_its_century(year: str, full: int) -> None:
    seconds = parse_http_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT")
    assert seconds == parse_http_date(f"Sun, 06 Nov {full} 08:49:37 GMT")


def test_a_leap_second_is_read() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 30 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Thu, 99 Foo 99999999 99:99:99 GMT",
        "Sun, 06 Nov ١٩٩٤ 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    assert parse_http_date(text) is None
