from __future__ import annotations

import gc
import time

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.chunked import ChunkedDecoder


def decode(raw: bytes, step: int | None = None) -> tuple[bytes, ChunkedDecoder]:
    """What is in `raw`, fed in pieces of `step` bytes."""
    decoder = ChunkedDecoder()
    out: list[bytes] = []
    size = step or max(1, len(raw))
    for at in range(0, len(raw), size):
        if decoder.is_complete:
            decoder.rest += raw[at:]
            break
        out += decoder.feed(raw[at : at + size])
    assert b"" not in out
    return b"".join(out), decoder


@pytest.mark.parametrize("step", [None, 1, 2, 3])
@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b'5;name\r\nhello\r\n0;last="x;y"\r\n\r\n', b"hello"),
        (b"5 ; name = value\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;caf\xe9=\t\r\nhello\r\n0\r\n\r\n", b"hello"),
    ],
)
def test_the_data_of_the_chunks(raw: bytes, data: bytes, step: int | None) -> None:
    """RFC 9112 sections 7.1 and 7.1.1: extensions are skipped."""
    found, decoder = decode(raw, step)
    assert found == data
    assert decoder.is_complete
    assert decoder.rest == b""
    assert decoder.trailers == []


@pytest.mark.parametrize("step", [None, 1, 2, 3])
def test_trailers_and_what_follows(step: int | None) -> None:
    """RFC 9112 section 7.1.2."""
    found, decoder = decode(b"1\r\nx\r\n0\r\nDigest: a\r\nX-Y:\tb \r\n\r\nGET / HT", step)
    assert found == b"x"
    assert [(line.name, line.value) for line in decoder.trailers] == [(b"digest", b"a"), (b"x-y", b"b")]
    assert decoder.rest == b"GET / HT"


def test_data_is_given_before_its_chunk_is_complete() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(b"5\r\nhe") == [b"he"]
    assert decoder.feed(b"l") == [b"l"]
    assert decoder.feed(b"lo\r") == [b"lo"]
    assert decoder.feed(b"\n0\r\n\r") == []
    assert not decoder.is_complete
    assert decoder.feed(b"\n") == []
    assert decoder.is_complete


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"\n",
        b"g\r\n",
        b"-5\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"0_5\r\n",
        b"5.0\r\n",
        b"5,5\r\n",
        b"5 5\r\n",
        b" 5\r\n",
        b"\x0b5\r\n",
        b"5\0\r\n",
        b"5\xa0\r\n",
        b"\xd9\xa5\r\n",
        b'"5"\r\n',
        b";a=b\r\n",
        b"10000000000000005\r\n",
        b"5\nhello\r\n",
        b"5\rhello\r\n",
        b"5;a\0b\r\n",
        b"5;a\rb\r\n",
        b"5;a\nhello\r\n",
        b"5\r\nhello0\r\n",
        b"5\r\nhello!!\r\n",
        b"5\r\nhello\n0\r\n",
        b"5\r\nhello\r0\r\n",
        b"5\r\nhelloXX0\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n-0\r\n",
        b"0\r\ngarbage\r\n",
        b"0\r\nX : y\r\n",
        b"0\r\nX: a\0b\r\n",
        b"0\r\n folded\r\n",
        b"0\r\n\n",
        b"0\r\nX: a\n\r\n",
    ],
)
def test_any_other_framing_is_refused(raw: bytes, step: int | None) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(raw, step)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "raw", [b"5;" + b"a" * 5000, b"0" * 5000, b"0\r\nX: " + b"a" * 17000, b"0\r\n" + b"X: a\r\n" * 5000]
)
@pytest.mark.parametrize("step", [None, 1000])
def test_lines_that_never_end_are_refused(raw: bytes, step: int | None) -> None:
    """RFC 9112 section 7.1.1: a recipient limits the total length of extensions."""
    with pytest.raises(ProtocolError):
        decode(raw, step)


def test_extensions_that_outweigh_the_data_are_refused() -> None:
    """RFC 9112 section 7.1.1: an attacker must not make a server read for ever for a byte of data."""
    chunk = b"1;%b\r\nx\r\n" % (b"e" * 4000)
    with pytest.raises(ProtocolError):
        decode(chunk * 20)


def test_small_chunks_are_no_attack() -> None:
    found, decoder = decode(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
    assert found == b"x" * 100_000
    assert decoder.is_complete


def test_many_chunks_in_one_piece_cost_no_more_than_their_number() -> None:
    begun = time.process_time()
    decode(b"1\r\nx\r\n" * 200_000)
    assert time.process_time() - begun < 5.0


def test_a_decoder_needs_no_garbage_collection() -> None:
    """One is made for each chunked request: cycles would let memory grow until the next full collection."""
    gc.collect()
    gc.disable()
    try:
        before = decoders_alive()
        for _ in range(100):
            decode(b"5\r\nhello\r\n0\r\nX: y\r\n\r\n")
        assert decoders_alive() == before
    finally:
        gc.enable()


def decoders_alive() -> int:
    """Other tests may have left some."""
    return sum(isinstance(thing, ChunkedDecoder) for thing in gc.get_objects())
