from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skitaid.agents.smtpda.wire import inspect, stuffed

TEXT = b"Subject: x\r\n\r\n.\r\n..two\r\n.three\r\n"


def unstuffed(data: bytes) -> bytes:
    """As a server does it (RFC 5321, section 4.5.2)."""
    body = b""
    for line in data.splitlines(keepends=True):
        if line == b".\r\n":
            return body
        body += line[1:] if line.startswith(b".") else line
    raise AssertionError("no final dot")


@given(st.lists(st.sampled_from([b".", b"a", b"\r\n", b"..", b"\r\n."])), st.integers(1, 7))
def test_what_is_stuffed_arrives_unchanged_however_it_is_cut(parts: list[bytes], size: int) -> None:
    message = b"".join(parts) + b"\r\n"
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    assert unstuffed(b"".join(stuffed(pieces))) == message


def test_nothing_but_the_last_dot_ends_it() -> None:
    assert b"".join(stuffed([TEXT])) == b"Subject: x\r\n\r\n..\r\n...two\r\n..three\r\n.\r\n"


def test_a_message_that_was_cut_short_ends_all_the_same() -> None:
    """Its file is its sender's; a server that waits for the end of the line would keep a courier for ten minutes."""
    assert b"".join(stuffed([b"a\r\nb"])) == b"a\r\nb\r\n.\r\n"


@pytest.mark.parametrize(
    "message",
    [
        b"a\nb\r\n",
        b"a\rb\r\n",
        b"a\r\r\n",
        b"a\n.\r\nMAIL\r\n",
        b"\n",
        b"\x00\r\n",
        b"",
        b"a",
        b"a\r",
        b"x" * 999 + b"\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_a_fault(message: bytes) -> None:
    for size in (1, 3, 4096):
        assert inspect(message[start : start + size] for start in range(0, len(message), size)).fault


def test_traits() -> None:
    assert inspect([TEXT]).size == len(TEXT)
    assert inspect([b"x" * 998 + b"\r\n"]).fault == ""
    assert inspect([b"x" * 500, b"x" * 498, b"\r", b"\n"]).fault == ""
    assert inspect([b"\xe9\r\n"]).is_8bit
    assert not inspect([TEXT]).is_8bit
