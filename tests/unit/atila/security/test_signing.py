"""Nothing that was changed on its way is believed: sessions, messages, one-time tokens, JSON web tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from skitaid.atila import Atila
from skitaid.atila.context import Context
from skitaid.atila.security import tagged
from skitaid.atila.security.jwt import mkjwt, read_claims
from skitaid.atila.security.onetime import deott, mkott
from skitaid.atila.security.signing import NoSecureKeyError, UnverifiedError, keys_of, sign, verify

KEYS = ("ds8fdsflksdjf9879dsf;?<>Asda",)
MUTATIONS = 10000
VALUES: list[Any] = [
    None, 1, 1.5, True, "text ä", [1, [2]], (1, (2, 3)), {"a": 1}, {1, 2}, b"\x00\xff", date(2030, 1, 2),
    datetime(2030, 1, 2, 3, 4, 5), Decimal("1.10"), UUID(int=5), {1: "number"}, {" t": [1]}, {" anything": 1}, {"": 0},
    {" k": {" d": "2030"}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_what_it_was(value: Any) -> None:
    back = verify(sign(value, KEYS, "test"), KEYS, "test")
    assert back == value
    assert type(back) is type(value)


def test_what_can_not_be_carried_is_said() -> None:
    with pytest.raises(TypeError, match="object can't be kept in a cookie or token"):
        tagged.dumps({"a": [object()]})


def test_a_value_for_one_purpose_is_none_for_another() -> None:
    text = sign({"admin": True}, KEYS, "atila-session-guest")
    with pytest.raises(UnverifiedError):
        verify(text, KEYS, "atila-session-admin")


def test_a_key_is_replaced_by_one_that_is_put_before_it() -> None:
    old = sign(1, ("old",), "test")
    assert verify(old, ("new", "old"), "test") == 1
    assert verify(sign(2, ("new", "old"), "test"), ("new",), "test") == 2
    with pytest.raises(UnverifiedError):
        verify(old, ("new",), "test")


@pytest.mark.parametrize("key", [None, "", [], ["good", ""]])
def test_no_key_is_an_error_that_says_what_to_do(key: Any) -> None:
    with pytest.raises(NoSecureKeyError, match=r"set app\.securekey to"):
        keys_of(key, "was.session")


@pytest.mark.parametrize("text", ["", ".", "...", "a.b", "é.é", "\x00", "x" * 70000, "." + "A" * 43, "e30.\udcff"])
def test_what_is_nothing_of_ours_is_refused(text: str) -> None:
    with pytest.raises(UnverifiedError):
        verify(text, KEYS, "test")


def mutations(text: str) -> Iterator[str]:
    """Single bits of it turned over."""
    source, raw = random.Random(7), text.encode()
    for _ in range(MUTATIONS):
        changed, bit = bytearray(raw), source.randrange(len(raw) * 8)
        changed[bit // 8] ^= 1 << bit % 8
        yield changed.decode("latin-1")


def _signed(purpose: str, value: Any) -> tuple[str, Callable[[str], bool]]:
    def is_taken(text: str) -> bool:
        try:
            verify(text, KEYS, purpose)
        except UnverifiedError:
            return False
        return True

    return sign(value, KEYS, purpose), is_taken


def _context() -> Any:
    app = Atila("app")
    app.securekey = KEYS[0]
    return Context(app, {"HTTP_COOKIE": ""})


def _ott() -> tuple[str, Callable[[str], bool]]:
    was = _context()
    return mkott(was, "hans", 3600), lambda text: deott(was, text) is not None


def _jwt() -> tuple[str, Callable[[str], bool]]:
    claims = {"username": "hansroh", "exp": 4102444800}
    return mkjwt(_context(), claims), lambda text: "err" not in read_claims(text, KEYS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _signed("atila-session", [{"user_id": "hansroh", "level": "user"}, 4102444800, "192.0.2.7"]),
        lambda: _signed("atila-mbox", [[["id", "flash", 1795184238, 0, "This is Flash Message", {}]], "192.0.2.7"]),
        _ott,
        _jwt,
    ],
    ids=["session", "mbox", "ott", "jwt"],
)
def test_no_single_bit_can_be_changed(make: Callable[[], tuple[str, Callable[[str], bool]]]) -> None:
    text, is_taken = make()
    assert is_taken(text)
    assert [changed for changed in mutations(text) if is_taken(changed)] == []
