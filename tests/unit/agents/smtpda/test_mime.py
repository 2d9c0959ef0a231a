from __future__ import annotations

from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skitaid.agents.smtpda.mime import Part, data_part, multipart, text_part
from skitaid.agents.smtpda.wire import inspect


def read(part: Part) -> Message:
    data = part.to_bytes()
    traits = inspect([data])
    assert not traits.fault and not traits.is_8bit
    return message_from_bytes(data)


def lines_of(text: str) -> str:
    """As a mail has it."""
    crlf = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return crlf if crlf.endswith("\r\n") else crlf + "\r\n"


TEXTS = st.text(st.sampled_from("ab \t=.-\r\n\x00\x0cüÜ€"), max_size=300) | st.text(max_size=100)


@given(TEXTS)
def test_a_text_is_read_as_it_was_given(text: str) -> None:
    payload = read(text_part("plain", text)).get_payload(decode=True)
    assert isinstance(payload, bytes) and payload.decode() == lines_of(text)


@given(TEXTS, st.binary(max_size=300))
def test_parts_are_what_they_were_given(text: str, data: bytes) -> None:
    found = read(multipart("mixed", [text_part("html", text), data_part("image/png", data, "inline", cid="a")]))
    shown, image = found.get_payload()  # type: ignore[misc]
    assert isinstance(shown, Message) and isinstance(image, Message)
    payload = shown.get_payload(decode=True)
    assert isinstance(payload, bytes) and payload.decode() == lines_of(text)
    assert image.get_payload(decode=True) == data and image["Content-ID"] == "<a>"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("Grüße", "base64"),
        ("Many words of ASCII, and one ö.", "quoted-printable"),
        ("a\x00", "quoted-printable"),
    ],
)
def test_what_needs_no_encoding_has_none(text: str, encoding: str) -> None:
    assert read(text_part("plain", text))["Content-Transfer-Encoding"] == encoding


def test_one_part_needs_no_other() -> None:
    part = text_part("plain", "x")
    assert multipart("mixed", [part]) is part


@pytest.mark.parametrize("size", [0, 57, 58, 57_000, 57_001, 200_000])
def test_a_file_of_any_size(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    part = read(data_part("image/png", data[:size], "attachment", name="a.png"))
    assert part.get_payload(decode=True) == data[:size]
