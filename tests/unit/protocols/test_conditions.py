"""RFC 9110 section 13, rule by rule."""

from __future__ import annotations

import pytest

from skitaid.protocols.conditions import Validators, Verdict, judge, range_holds

SEND, NOT_MODIFIED, FAILED = Verdict.SEND, Verdict.NOT_MODIFIED, Verdict.FAILED
OWN = Validators(b'"v1"', 784111777)
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"
LATER_S = float(OWN.modified + 3600)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (b'"v1"', NOT_MODIFIED),
        (b'W/"v1"', NOT_MODIFIED),
        (b'"other", "v1"', NOT_MODIFIED),
        (b'"other","v1"', NOT_MODIFIED),
        (b'"a,b", W/"v1"', NOT_MODIFIED),
        (b"*", NOT_MODIFIED),
        (b" * ", NOT_MODIFIED),
        (b'"other"', SEND),
        (b'"v1x"', SEND),
        (b'"other, "v1', SEND),
        (b"v1", SEND),
        (b"", SEND),
    ],
)
def test_if_none_match(value: bytes, verdict: Verdict) -> None:
    assert judge({b"if-none-match": value}, OWN) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (b'"v1"', SEND),
        (b'"other", "v1"', SEND),
        (b"*", SEND),
        (b'W/"v1"', FAILED),
        (b'"other"', FAILED),
        (b"", FAILED),
    ],
)
def test_if_match_compares_strongly(value: bytes, verdict: Verdict) -> None:
    assert judge({b"if-match": value}, OWN) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (DATE, NOT_MODIFIED),
        (AFTER, NOT_MODIFIED),
        (BEFORE, SEND),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", NOT_MODIFIED),
        (b"Sun Nov  6 08:49:37 1994", NOT_MODIFIED),
        (b"no date", SEND),
        (b"", SEND),
        (DATE + b", " + DATE, SEND),
    ],
)
def test_if_modified_since(value: bytes, verdict: Verdict) -> None:
    assert judge({b"if-modified-since": value}, OWN) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(DATE, SEND), (AFTER, SEND), (BEFORE, FAILED), (b"no date", SEND), (b"", SEND)]
)
def test_if_unmodified_since(value: bytes, verdict: Verdict) -> None:
    assert judge({b"if-unmodified-since": value}, OWN) is verdict


def test_nothing_asked() -> None:
    assert judge({}, OWN) is SEND
    assert judge({b"range": b"bytes=0-0"}, OWN) is SEND


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        # 1 and 2: If-Unmodified-Since counts only without If-Match
        ({b"if-match": b'"v1"', b"if-unmodified-since": BEFORE}, SEND),
        ({b"if-match": b'"x"', b"if-unmodified-since": AFTER}, FAILED),
        # 3 and 4: If-Modified-Since counts only without If-None-Match
        ({b"if-none-match": b'"x"', b"if-modified-since": AFTER}, SEND),
        ({b"if-none-match": b'"v1"', b"if-modified-since": BEFORE}, NOT_MODIFIED),
        # the first two go before the others
        ({b"if-match": b'"x"', b"if-none-match": b'"v1"'}, FAILED),
        ({b"if-match": b'"v1"', b"if-none-match": b'"v1"'}, NOT_MODIFIED),
        ({b"if-unmodified-since": BEFORE, b"if-modified-since": AFTER}, FAILED),
        ({b"if-unmodified-since": AFTER, b"if-modified-since": AFTER}, NOT_MODIFIED),
    ],
)
def test_the_order_of_section_13_2_2(given: dict[bytes, bytes], verdict: Verdict) -> None:
    assert judge(given, OWN) is verdict


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (None, True),
        (b'"v1"', True),
        (DATE, True),
        (b'W/"v1"', False),
        (b'"other"', False),
        (b'"v1", "other"', False),
        (BEFORE, False),
        (AFTER, False),
        (b"no date", False),
        (b"*", False),
        (b"", False),
    ],
)
def test_if_range(value: bytes | None, holds: bool) -> None:
    given = {} if value is None else {b"if-range": value}
    assert range_holds(given, OWN, LATER_S) is holds


def test_a_date_of_this_very_second_is_no_strong_validator() -> None:
    given = {b"if-range": DATE}
    assert not range_holds(given, OWN, OWN.modified + 0.9)
    assert range_holds(given, OWN, OWN.modified + 1.1)


def test_a_hostile_list_of_tags_is_read_in_one_pass() -> None:
    assert judge({b"if-none-match": b'W/"' * 10000}, OWN) is SEND
    assert judge({b"if-none-match": b'"' + b"a" * 30000}, OWN) is SEND


WEAK = Validators(b'W/"v1"', None)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({b"if-none-match": b'"v1"'}, NOT_MODIFIED),
        ({b"if-none-match": b'W/"v1"'}, NOT_MODIFIED),
        ({b"if-none-match": b'"v2"'}, SEND),
        ({b"if-match": b'"v1"'}, FAILED),
        ({b"if-match": b'W/"v1"'}, FAILED),
        ({b"if-match": b"*"}, SEND),
        ({b"if-modified-since": AFTER}, SEND),
        ({b"if-unmodified-since": BEFORE}, SEND),
    ],
)
def test_a_weak_tag_without_a_date(given: dict[bytes, bytes], verdict: Verdict) -> None:
    assert judge(given, WEAK) is verdict


def test_what_has_no_validators_is_sent() -> None:
    assert judge({b"if-none-match": b'"v1"', b"if-modified-since": AFTER}, Validators(None, None)) is SEND


@pytest.mark.parametrize("value", [b'W/"v1"', b'"v1"', DATE])
def test_a_weak_validator_holds_no_range(value: bytes) -> None:
    assert not range_holds({b"if-range": value}, WEAK, LATER_S)
