from __future__ import annotations

import pytest

from skitaid.agents.smtpda.errors import DeliveryError
from skitaid.agents.smtpda.replies import Abilities, Reply, ReplyReader


def read(data: bytes, size: int = 4096) -> list[Reply]:
    reader, found = ReplyReader(), []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (reply := reader.next()) is not None:
            found.append(reply)
    return found


@pytest.mark.parametrize("size", [1, 2, 4096])
def test_replies_of_several_lines(size: int) -> None:
    first, second = read(b"250-one\r\n250-two\r\n250 three\r\n451 4.3.0 later\n", size)
    assert (first.code, first.text, first.lines) == (250, "one two three", ("one", "two", "three"))
    assert str(second) == "451 4.3.0 later"


def test_a_code_alone() -> None:
    assert str(read(b"220\r\n")[0]) == "220"


@pytest.mark.parametrize(
    "data", [b"xyzzy what?\r\n", b"\r\n", b"25 ok\r\n", b"2500 ok\r\n", b"199 no\r\n", b"250_a\r\n"]
)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(DeliveryError, match="not a reply"):
        read(data)


def test_a_reply_without_an_end_is_not_kept() -> None:
    with pytest.raises(DeliveryError, match="longer"):
        read(b"250 " + b"y" * 70_000)
    with pytest.raises(DeliveryError, match="longer"):
        read(b"250-yyyyyyyy\r\n" * 10_000 + b"250")


def test_long_lines_are_read() -> None:
    assert len(read(b"250 " + b"y" * 9000 + b"\r\n")[0].text) == 500


def test_abilities() -> None:
    found = Abilities.of(["8BITMIME", "SIZE 1000", "AUTH PLAIN login", "auth=LOGIN", "starttls"])
    assert "STARTTLS" in found and "SMTPUTF8" not in found
    assert found.size_limit == 1000
    assert found.mechanisms == {"PLAIN", "LOGIN"}
    assert Abilities().size_limit == 0
    assert Abilities.of([f"SIZE {'9' * 5000}"]).size_limit == 0
