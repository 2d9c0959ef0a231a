from __future__ import annotations

import io
import os
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.multipart import make_multipart
from skitaid.was.messages.streamed import FilePart, StreamedBody


def whole(body: StreamedBody, count: int = 7) -> bytes:
    pieces = []
    position = 0
    while piece := body.read(position, count):
        assert len(piece) <= count
        pieces.append(piece)
        position += len(piece)
    assert position == body.content_length
    return b"".join(pieces)


def parts(body: StreamedBody) -> list[tuple[str | None, str | None, str, bytes]]:
    """Name, file name, content type and content of each."""
    raw = whole(body)
    message = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + raw)
    return [
        (str(part.get_param("name", header="content-disposition")), part.get_filename(), part.get_content_type(),
         part.get_payload(decode=True))
        for part in message.get_payload()  # type: ignore[misc, union-attr]
    ]  # fmt: skip


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "logo.png"
    path.write_bytes(bytes(range(256)) * 10)
    return path


def test_fields_and_a_file(logo: Path) -> None:
    with logo.open("rb") as file:
        body = make_multipart({"user": "Hans Roh", "file": file})
    # the app has closed its file meanwhile
    assert parts(body) == [
        ("user", None, "text/plain", b"Hans Roh"),
        ("file", "logo.png", "image/png", logo.read_bytes()),
    ]


def test_files_stay_on_disk(logo: Path) -> None:
    with logo.open("rb") as file:
        body = make_multipart([("file", file)])
    assert [type(piece) for piece in body.pieces] == [bytes, FilePart, bytes]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, (None, "text/plain", b"7")),
        (b"raw", (None, "text/plain", b"raw")),
        ("é", (None, "text/plain", "é".encode())),
        (("a.txt", b"raw"), ("a.txt", "text/plain", b"raw")),
        (("a.bin", "text"), ("a.bin", "application/octet-stream", b"text")),
        (("a", io.BytesIO(b"raw"), "image/gif"), ("a", "image/gif", b"raw")),
        (io.BytesIO(b"raw"), ("file", "application/octet-stream", b"raw")),
        (io.StringIO("é"), ("file", "application/octet-stream", "é".encode())),
        (io.BytesIO(b""), ("file", "application/octet-stream", b"")),
    ],
)
def test_values(value: object, expected: tuple[Any, ...]) -> None:
    assert parts(make_multipart({"name": value})) == [("name", *expected)]


def test_paths_and_files_for_text(logo: Path) -> None:
    text = logo.with_name("a.txt")
    text.write_text("text")
    with text.open() as file:
        body = make_multipart({"a": logo, "b": file, "c": ("x.png", logo)})
    assert [(name, size) for _, name, _, size in parts(body)] == [
        ("logo.png", logo.read_bytes()),
        ("a.txt", b"text"),
        ("x.png", logo.read_bytes()),
    ]


def test_a_list_is_several_and_none_is_nothing() -> None:
    assert [each[0] for each in parts(make_multipart({"a": [b"1", b"2"], "b": None, "c": []}))] == ["a", "a"]


def test_a_file_is_sent_from_where_it_is(logo: Path) -> None:
    with logo.open("rb") as file:
        file.read(2550)
        body = make_multipart({"a": file})
        assert file.tell() == 2550
    assert parts(body)[0][3] == logo.read_bytes()[2550:]


def test_what_was_written_is_sent(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w+b") as file:
        file.write(b"written")
        file.seek(0)
        file.write(b"W")
        file.seek(0)
        body = make_multipart({"a": file})
    assert parts(body)[0][3] == b"Written"


def test_what_can_be_read_once_is_kept() -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"from a pipe")
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as file:
        body = make_multipart({"a": file})
    assert parts(body)[0][3] == b"from a pipe"


def test_what_can_be_read_once_and_is_long_is_put_aside() -> None:
    size = 3_000_001
    body = make_multipart({"a": io.BytesIO(bytes(size))})
    assert any(isinstance(piece, FilePart) for piece in body.pieces)
    assert body.content_length > size
    assert body.read(body.content_length - 10, 100)


def test_it_can_be_read_twice(logo: Path) -> None:
    body = make_multipart({"a": logo})
    assert whole(body, 1000) == whole(body, 33)


def test_its_files_are_closed_with_it(logo: Path) -> None:
    before = open_files()
    body = make_multipart({"a": logo, "b": logo})
    assert open_files() == before + 2
    body.acquire()
    body.release()
    assert open_files() == before + 2
    body.release()
    assert open_files() == before
    with pytest.raises(OSError):
        whole(body)


def test_its_files_are_closed_when_it_is_forgotten(logo: Path) -> None:
    before = open_files()
    body = make_multipart({"a": logo})
    assert open_files() == before + 1
    del body
    assert open_files() == before


def test_a_file_that_becomes_shorter(logo: Path) -> None:
    body = make_multipart({"a": logo})
    os.truncate(logo, 100)
    with pytest.raises(EOFError):
        whole(body, 1000)


def test_names_cannot_break_out() -> None:
    body = make_multipart({'a"\r\nX-Evil: 1\r\n\r\n': ('b"\r\n.png', b"")})
    raw = whole(body)
    assert b"X-Evil: 1\r\n" not in raw.replace(b"%0D%0A", b"")
    assert b'name="a%22%0D%0AX-Evil: 1%0D%0A%0D%0A"; filename="b%22%0D%0A.png"' in raw


@pytest.mark.parametrize("data", ["text", b"bytes", {"a": ("name",)}, {"a": ("n", b"", "a\r\nb")}, {"a": ("n", 7)}])
def test_what_is_none_is_refused(data: object) -> None:
    with pytest.raises(CallError):
        make_multipart(data)


def test_files_are_closed_when_it_fails(logo: Path) -> None:
    before = open_files()
    with pytest.raises(CallError):
        make_multipart([("a", logo), ("b", ("n", 7))])
    with pytest.raises(FileNotFoundError):
        make_multipart([("a", logo), ("b", logo.with_name("none"))])
    assert open_files() == before


def test_nothing() -> None:
    body = make_multipart(None)
    assert whole(body).startswith(b"------skitaid-")
