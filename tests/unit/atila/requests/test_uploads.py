"""Uploads: what comes in as a form, what is refused, and where files go."""

from __future__ import annotations

import errno
import gc
import os
import random
import stat
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.requests.multipart import Limits, read_multipart
from skitaid.atila.requests.uploads import UploadedFile, safe_name
from skitaid.was.errors import HTTPError
from tests.unit.atila.browser import Browser, multipart

KIND = "multipart/form-data; boundary=BOUND"
PIECE = 65536


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Atila:
    app = Atila("app")

    @app.route("/upload", methods=["GET", "POST"])
    def upload(was: Any, **form: Any) -> Any:
        if was.request.command == "get":
            return "FORM"
        file = form.get("file")
        if file:
            file.save(tmp_path / "saved", mkdir=True, dup="o")  # overwrite
            return file.path
        return None

    @app.route("/look", methods=["POST"])
    def look(was: Any, **form: Any) -> Any:
        file = form["file"]
        assert file.file == file.path
        assert Path(file.path).read_bytes() == file.read()
        return was.API(
            name=file.name, size=file.size, mimetype=file.mimetype, text=form["text"],
            same=was.request.FORM["file"] is file is was.request.args["file"],
        )  # fmt: skip

    return app


def test_the_example_of_the_documents(app: Atila, tmp_path: Path, temporary: Path) -> None:
    browser = Browser(app)
    assert browser.get("/upload").text == "FORM"
    parts = [("submit-hidden", None, b"Genious"), ("submit-name", None, b"Hans Roh"), ("file", "a.txt", b"hello")]
    for _ in range(2):
        reply = browser.upload("/upload", parts)
        assert reply.text == str(tmp_path / "saved" / "a.txt")
        assert Path(reply.text).read_bytes() == b"hello"
    assert os.listdir(tmp_path / "saved") == ["a.txt"]
    assert browser.upload("/upload", [("file", "", b"")]).text == ""
    assert left_in(temporary) == []


def left_in(folder: Path) -> list[str]:
    gc.collect()
    return os.listdir(folder)


def test_what_a_file_tells(app: Atila, temporary: Path) -> None:
    reply = Browser(app).upload("/look", [("text", None, "ä".encode()), ("file", "C:\\docs\\päge.txt", b"x" * 100000)])
    told = {"name": "päge.txt", "size": 100000, "mimetype": "text/plain", "text": "ä", "same": True}
    assert reply.json == told
    assert left_in(temporary) == []


def read(body: bytes, limits: Limits | None = None, kind: str = KIND, piece: int = PIECE) -> Any:
    pieces = (body[at : at + piece] for at in range(0, len(body), piece))
    return read_multipart(pieces, kind, limits or Limits())


@pytest.mark.parametrize("piece", [1, 2, 7, PIECE])
def test_pieces_of_any_length(piece: int) -> None:
    form = read(multipart([("a", None, b"1"), ("a", None, b"2\r\n--BOUN"), ("f", "f", b"\r\n\r\n")]), piece=piece)
    assert form["a"] == ["1", "2\r\n--BOUN"]
    assert form["f"].read() == b"\r\n\r\n"


def test_a_name_that_comes_several_times_has_a_list() -> None:
    form = read(multipart([("f", "one", b"1"), ("f", "two", b"2"), ("f", "three", b"3")]))
    assert [file.name for file in form.f] == ["one", "two", "three"]


@pytest.mark.parametrize(
    "body, kind",
    [
        (b"", KIND),
        (b"nothing", KIND),
        (multipart([("a", None, b"1")])[:-4], KIND),
        (multipart([("a", None, b"1")]), "multipart/form-data"),
        (multipart([("a", None, b"1")]), "multipart/form-data; boundary="),
        (multipart([("a", None, b"1")]), "multipart/mixed; boundary=BOUND"),
        (multipart([("a", None, b"1")]), "multipart/form-data; boundary=" + "B" * 1000),
        (b"--BOUND\r\nContent-Type: text/plain\r\n\r\nx\r\n--BOUND--\r\n", KIND),
        (b"--BOUND\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--BOUND--\r\n", KIND),
        (b"--BOUND\r\nContent-Disposition: form-data\r\n\r\nx\r\n--BOUND--\r\n", KIND),
    ],
)
def test_what_is_no_form_is_a_400(body: bytes, kind: str) -> None:
    with pytest.raises(HTTPError, match=r"^400 "):
        read(body, kind=kind)


LIMITS = Limits(body=2000, file=500, fields=100, parts=10)


@pytest.mark.parametrize(
    "parts, problem",
    [
        ([(str(number), None, b"1") for number in range(11)], "more than 10 parts"),
        ([("a", None, b"1" * 60), ("b", None, b"1" * 60)], "more than 100 bytes in fields"),
        ([("a", "a", b"1" * 501)], "a file of more than 500 bytes"),
        ([(str(number), "f", b"1" * 400) for number in range(5)], "a form of more than 2000 bytes"),
    ],
)
def test_each_limit(parts: list[tuple[str, str | None, bytes]], problem: str, temporary: Path) -> None:
    with pytest.raises(HTTPError, match=rf"^413 .*{problem}"):
        read(multipart(parts), LIMITS, piece=100)
    assert left_in(temporary) == []


def _part(name: bytes, end: bytes = b"") -> bytes:
    return b'--BOUND\r\nContent-Disposition: form-data; name="' + name + b'"' + end + b"\r\n\r\n"


def _endless(first: bytes, then: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield then * (PIECE // len(then))


def _parts(end: bytes) -> Iterator[bytes]:
    for number in range(10000):
        yield _part(b"a%d" % number, end) + b"1\r\n"
    yield b"--BOUND--\r\n"


ABUSE = {
    "10,000 fields": lambda: _parts(b""),
    "10,000 files": lambda: _parts(b'; filename="f"'),
    "a field of 100 MB": lambda: _endless(_part(b"a"), b"y"),
    "a file of 100 MB": lambda: _endless(_part(b"a", b'; filename="f"'), b"y"),
    "line breaks before the first part": lambda: _endless(b"\r\n", b"\r\n"),
    "line breaks in a file": lambda: _endless(_part(b"a", b'; filename="f"'), b"\r\n"),
    "line breaks in a field": lambda: _endless(_part(b"a"), b"\r"),
    "almost boundaries": lambda: _endless(_part(b"a", b'; filename="f"'), b"\r\n--BOUN"),
    "an endless field of a head": lambda: _endless(b"--BOUND\r\nContent-Disposition: ", b"x"),
    "an endless name": lambda: _endless(b"--BOUND\r\n", b"X"),
    "endless fields of a head": lambda: _endless(b"--BOUND\r\n", b"X: y\r\n"),
    "an endless parameter": lambda: _endless(_part(b"a")[:-4] + b"; filename=", b"\\"),
    "what follows the end": lambda: _endless(_part(b"a") + b"1\r\n--BOUND--\r\n", b"y"),
}


@pytest.mark.parametrize("kind", ABUSE)
def test_abuse_is_refused_at_once_and_costs_no_memory(kind: str, temporary: Path) -> None:
    begin = time.thread_time()
    with pytest.raises(HTTPError, match=r"^4(00|13) "):
        read_multipart(ABUSE[kind](), KIND, Limits())
    assert time.thread_time() - begin < 1
    tracemalloc.start()
    try:
        with pytest.raises(HTTPError):
            read_multipart(ABUSE[kind](), KIND, Limits())
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()
    assert left_in(temporary) == []


def test_whatever_comes_is_a_form_or_refused(temporary: Path) -> None:
    source = random.Random(11)
    whole = multipart([("a", None, b"1"), ("f", "f.txt", b"x" * 300), ("b", None, b"2\r\n--BOUN")])
    refused = 0
    for _ in range(3000):
        body = bytearray(whole)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(len(body))
            body[at : at + source.randrange(3)] = source.choice(
                [b"", b"\r\n", b"--BOUND", b"\0", bytes([source.randrange(256)])]
            )
        try:
            read(bytes(body), LIMITS, piece=source.choice([1, 5, 64, PIECE]))
        except HTTPError as error:
            refused += 1
            assert error.status_code in (400, 413)
    assert 0 < refused < 3000
    assert left_in(temporary) == []


def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("skitaid.atila.requests.multipart.os.write", full)
    with pytest.raises(HTTPError, match=r"^507 "):
        read(multipart([("f", "f", b"x")]))
    assert left_in(temporary) == []


def test_a_body_that_says_it_is_too_large_is_not_read(app: Atila) -> None:
    app.config.max_multipart_body_size = 100
    reply = Browser(app).upload("/upload", [("file", "f", b"x" * 200)])
    assert reply.status == 413


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    "posted, expected",
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.txt", "y.txt"),
        ("..", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\n.txt", "a_b__.txt"),
        ("a<b>:c.txt", "a_b__c.txt"),
        ("con.txt", "_con.txt"),
        ("trailing. . ", "trailing"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("x" * 500 + ".txt", "x" * 196 + ".txt"),
        ("ä" * 500, "ä" * 100),
    ],
)
def test_a_name_stays_in_its_folder(posted: str, expected: str) -> None:
    assert safe_name(posted) == expected


def file_of(folder: Path, content: bytes = b"x", name: str = "a.txt") -> UploadedFile:
    path = folder / f"upload-{len(os.listdir(folder))}"
    path.write_bytes(content)
    path.chmod(0o600)
    return UploadedFile(str(path), name, "text/plain")


def test_names_are_made_unique(temporary: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    names = [Path(file_of(temporary, str(number).encode()).save(into)).name for number in range(3)]
    assert names == ["a.txt", "a.1.txt", "a.2.txt"]
    assert [(into / name).read_bytes() for name in names] == [b"0", b"1", b"2"]
    assert sorted(os.listdir(into)) == sorted(names)
    assert left_in(temporary) == []


def test_a_file_is_overwritten(temporary: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "victim").write_bytes(b"victim")
    (into / "a.txt").symlink_to(into / "victim")
    file = file_of(temporary, b"new")
    assert file.save(str(into), dup="o") == str(into / "a.txt") == file.path
    assert not (into / "a.txt").is_symlink()
    assert (into / "victim").read_bytes() == b"victim"
    assert file.read() == b"new"


def test_a_name_of_the_app_s_own(temporary: Path, tmp_path: Path) -> None:
    assert file_of(temporary).save(tmp_path, name="other.bin") == str(tmp_path / "other.bin")
    for name in ("", ".", "..", "a/b", "a\\b", "a\0b"):
        with pytest.raises(ValueError, match="not the name of a file"):
            file_of(temporary).save(tmp_path, name=name)
    with pytest.raises(ValueError, match="expected 'u'"):
        file_of(temporary).save(tmp_path, dup="x")


def test_a_folder_that_is_not_there(temporary: Path, tmp_path: Path) -> None:
    file = file_of(temporary)
    with pytest.raises(FileNotFoundError):
        file.save(tmp_path / "a" / "b")
    assert file.save(tmp_path / "a" / "b", mkdir=True) == str(tmp_path / "a" / "b" / "a.txt")


def test_a_saved_file_has_the_rights_of_a_new_one(temporary: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        saved = file_of(temporary).save(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(saved).st_mode) == 0o640


def test_a_file_is_gone_with_whoever_had_it(temporary: Path, tmp_path: Path) -> None:
    kept, dropped = file_of(temporary), file_of(temporary)
    kept.save(tmp_path, name="kept")
    del kept, dropped
    assert left_in(temporary) == []
    assert (tmp_path / "kept").exists()


def test_a_file_is_removed(temporary: Path, tmp_path: Path) -> None:
    file = file_of(temporary)
    file.save(tmp_path)
    file.remove()
    file.remove()
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize(
    "said, told",
    [
        ("Text/HTML; charset=x", "text/html"),
        ("text/x\x01y", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("a/" + "b" * 200, "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_one(said: str, told: str) -> None:
    head = f'--BOUND\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: {said}\r\n\r\n'
    assert read(head.encode() + b"x\r\n--BOUND--\r\n").f.mimetype == told
