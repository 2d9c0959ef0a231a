"""Static files as a client gets them. The finding, the conditions and the ranges have tests of their own."""

from __future__ import annotations

import email
import gzip
import json
import os
import time
from pathlib import Path

import pytest

from skitaid.handlers.static.files import KEPT_FILE_BYTES
from tests.unit.engine import rig as rigs
from tests.unit.engine.rig import Client, Reply, Rig, hello

rig = rigs.rig
make_rig = rigs.make_rig

SMALL = bytes(range(256)) * 4
LARGE = bytes(index * 7 % 251 for index in range(KEPT_FILE_BYTES + 1000))
FILES = {"small.bin": SMALL, "large.bin": LARGE}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, content in FILES.items():
        write(folder / name, content)
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def write(path: Path, content: bytes | str, *, age_s: float = 3600.0) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    touched = time.time() - age_s
    os.utime(path, (touched, touched))
    return path


@pytest.fixture
def client(rig: Rig, root: Path) -> Client:
    rig.folder(str(root), "/static")
    return rig.client()


@pytest.fixture(params=sorted(FILES))
def name(request: pytest.FixtureRequest) -> str:
    """From memory, and from disk."""
    return str(request.param)


def etag_of(client: Client, path: str) -> str:
    found = client.get(path, method="HEAD").get("ETag")
    assert found is not None
    return found


# ---------------------------------------------------------------- whole files


def test_a_file(client: Client, name: str) -> None:
    for _ in range(2):
        reply = client.get(f"/static/{name}")
        assert (reply.code, reply.body) == (200, FILES[name])
        assert reply.get("Content-Length") == str(len(FILES[name]))
        assert reply.get("Accept-Ranges") == "bytes"
        assert reply.get("Cache-Control") == "max-age=300"


def test_head_says_the_same_as_get(client: Client, name: str) -> None:
    get, head = client.get(f"/static/{name}"), client.get(f"/static/{name}", method="HEAD")
    assert head.body == b""
    assert [field for field in head.fields if field[0] != "Date"] == [
        field for field in get.fields if field[0] != "Date"
    ]


def test_an_empty_file(client: Client, root: Path) -> None:
    write(root / "empty", b"")
    reply = client.get("/static/empty")
    assert (reply.code, reply.body, reply.get("Content-Length")) == (200, b"", "0")
    assert client.get("/static/empty", "Range: bytes=0-0").code == 200


def test_max_age(rig: Rig, root: Path) -> None:
    rig.folder(str(root), max_age_s=31536000)
    assert rig.client().get("/small.bin").get("Cache-Control") == "max-age=31536000"


@pytest.mark.parametrize("path", ["/static/none", "/static/small.bin/", "/static/.hidden", "/static/../small.bin"])
def test_nothing(client: Client, path: str) -> None:
    assert client.get(path).code == 404


def test_a_miss_goes_on_to_the_app(rig: Rig, root: Path) -> None:
    rig.folder(str(root))
    rig.app(hello)
    client = rig.client()
    assert client.get("/none").body == b"hello"
    assert client.get("/small.bin").body == SMALL
    assert client.get("/small.bin", method="POST").body == b"hello"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods(client: Client, method: str) -> None:
    reply = client.get("/static/small.bin", method=method)
    assert (reply.code, reply.get("Allow")) == (405, "GET, HEAD, OPTIONS")


def test_options(client: Client) -> None:
    reply = client.get("/static/small.bin", method="OPTIONS")
    assert (reply.code, reply.get("Allow"), reply.body) == (204, "GET, HEAD, OPTIONS", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(client: Client, root: Path, name: str) -> None:
    (root / name).chmod(0)
    assert client.get(f"/static/{name}").code == 403


def test_a_file_that_can_not_be_opened_says_so(
    client: Client, root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def refuse(path: bytes, flags: int, **rest: int) -> int:
        if path == name.encode():
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, **rest)

    monkeypatch.setattr(os, "open", refuse)
    assert client.get(f"/static/{name}").code == 403


def test_a_large_file_removed_after_it_was_looked_at(client: Client, root: Path) -> None:
    assert client.get("/static/large.bin", method="HEAD").code == 200
    (root / "large.bin").unlink()
    assert client.get("/static/large.bin").code == 404


def test_a_large_file_replaced_after_it_was_looked_at(client: Client, root: Path) -> None:
    before = client.get("/static/large.bin", method="HEAD")
    longer = LARGE + b"more"
    write(root / "new", longer, age_s=10)
    (root / "new").rename(root / "large.bin")
    reply = client.get("/static/large.bin")
    assert (reply.code, reply.body, reply.is_whole) == (200, longer, True)
    assert reply.get("ETag") != before.get("ETag")


def test_a_large_file_to_a_slow_reader(rig: Rig, root: Path) -> None:
    content = os.urandom(2_000_000)
    write(root / "huge.bin", content)
    rig.folder(str(root))
    client = rig.client(send_buffer=4096)
    client.send(b"GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    assert client.connection.outgoing_bytes < 10_000
    assert client.reply().body == content
    assert client.reply().body == SMALL


def test_a_file_cut_short_under_a_slow_reader(rig: Rig, root: Path) -> None:
    path = write(root / "huge.bin", bytes(8_000_000))
    rig.folder(str(root))
    client = rig.client(send_buffer=4096)
    client.send(b"GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n")
    rig.settle()
    os.truncate(path, 10)
    client.end()
    assert client.is_closed


# ---------------------------------------------------------------- conditions


def test_not_modified(client: Client, name: str) -> None:
    path = f"/static/{name}"
    first = client.get(path)
    for field in (f"If-None-Match: {first.get('ETag')}", f"If-Modified-Since: {first.get('Last-Modified')}"):
        for method in ("GET", "HEAD"):
            reply = client.get(path, field, method=method)
            assert (reply.code, reply.body) == (304, b"")
            # RFC 9110 section 15.4.5
            assert reply.get("ETag") == first.get("ETag")
            assert reply.get("Cache-Control") == first.get("Cache-Control")
            assert reply.get("Content-Type") is None


def test_modified(client: Client, name: str) -> None:
    path = f"/static/{name}"
    assert client.get(path, 'If-None-Match: "other"').body == FILES[name]
    assert client.get(path, "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT").body == FILES[name]


def test_fields_in_several_lines_are_one_list(client: Client) -> None:
    etag = etag_of(client, "/static/small.bin")
    assert client.get("/static/small.bin", 'If-None-Match: "a"', f"If-None-Match: {etag}").code == 304


def test_a_condition_that_fails(client: Client, name: str) -> None:
    for field in ('If-Match: "other"', "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT"):
        for method in ("GET", "HEAD"):
            assert client.get(f"/static/{name}", field, method=method).code == 412


# ---------------------------------------------------------------- ranges


def test_a_range(client: Client, name: str) -> None:
    content = FILES[name]
    reply = client.get(f"/static/{name}", "Range: bytes=100-299")
    assert (reply.code, reply.body) == (206, content[100:300])
    assert reply.get("Content-Range") == f"bytes 100-299/{len(content)}"
    assert reply.get("Content-Length") == "200"
    assert reply.get("ETag") == etag_of(client, f"/static/{name}")
    assert client.get(f"/static/{name}", "Range: bytes=-3").body == content[-3:]


def parts_of(reply: Reply) -> list[tuple[str, bytes]]:
    """Content-Range and content of each part, read by the standard library."""
    kind = reply.get("Content-Type")
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + reply.body)
    assert message.get_content_type() == "multipart/byteranges"
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [(str(part["Content-Range"]), part.get_payload(decode=True)) for part in leaves]  # type: ignore[misc]


def test_several_ranges(client: Client, name: str) -> None:
    content = FILES[name]
    size = len(content)
    reply = client.get(f"/static/{name}", "Range: bytes=900-999, 0-9, -10")
    assert (reply.code, reply.is_whole) == (206, True)
    assert reply.get("Content-Range") is None
    assert parts_of(reply) == [
        (f"bytes 900-999/{size}", content[900:1000]),
        (f"bytes 0-9/{size}", content[:10]),
        (f"bytes {size - 10}-{size - 1}/{size}", content[-10:]),
    ]


def test_ranges_that_become_one_are_no_multipart(client: Client, name: str) -> None:
    reply = client.get(f"/static/{name}", "Range: bytes=0-9,5-19")
    assert (reply.code, reply.body) == (206, FILES[name][:20])


def test_a_range_that_can_not_be_had(client: Client, name: str) -> None:
    reply = client.get(f"/static/{name}", "Range: bytes=999999-")
    assert (reply.code, reply.get("Content-Range")) == (416, f"bytes */{len(FILES[name])}")


def test_a_range_that_is_none(client: Client, name: str) -> None:
    assert client.get(f"/static/{name}", "Range: bytes=3-1").code == 200
    assert client.get(f"/static/{name}", "Range: lines=0-1").body == FILES[name]


def test_a_flood_of_ranges_gets_the_file_once(client: Client, name: str) -> None:
    ranges = ",".join(f"{place}-{place}" for place in range(0, 600, 2))
    reply = client.get(f"/static/{name}", f"Range: bytes={ranges}")
    assert (reply.code, reply.body) == (200, FILES[name])


def test_head_has_no_ranges(client: Client, name: str) -> None:
    reply = client.get(f"/static/{name}", "Range: bytes=0-1", method="HEAD")
    assert (reply.code, reply.get("Content-Length")) == (200, str(len(FILES[name])))


def test_if_range(client: Client, name: str) -> None:
    path = f"/static/{name}"
    first = client.get(path)
    for good in (first.get("ETag"), first.get("Last-Modified")):
        assert client.get(path, "Range: bytes=0-1", f"If-Range: {good}").code == 206
    for bad in ('"other"', f"W/{first.get('ETag')}", "Thu, 01 Jan 1970 00:00:01 GMT"):
        assert client.get(path, "Range: bytes=0-1", f"If-Range: {bad}").code == 200


def test_conditions_go_before_ranges(client: Client, name: str) -> None:
    path = f"/static/{name}"
    assert client.get(path, "Range: bytes=0-1", f"If-None-Match: {etag_of(client, path)}").code == 304
    assert client.get(path, "Range: bytes=999999-", 'If-Match: "other"').code == 412


# ---------------------------------------------------------------- compressed neighbours


@pytest.fixture
def packed(root: Path, name: str) -> bytes:
    """What lies beside the file, as its compressed form."""
    content = b"packed " + FILES[name]
    write(root / f"{name}.gz", content)
    return content


def test_a_neighbour_is_sent_to_who_takes_it(client: Client, name: str, packed: bytes) -> None:
    path = f"/static/{name}"
    coded = client.get(path, "Accept-Encoding: gzip, deflate, br")
    assert (coded.code, coded.body, coded.get("Content-Encoding")) == (200, packed, "gzip")
    plain = client.get(path)
    assert (plain.body, plain.get("Content-Encoding")) == (FILES[name], None)
    assert plain.get("Vary") == coded.get("Vary") == "Accept-Encoding"
    assert plain.get("ETag") != coded.get("ETag")
    assert client.get(path, "Accept-Encoding: gzip;q=0").body == FILES[name]


def test_each_form_has_its_own_validators(client: Client, name: str, packed: bytes) -> None:
    path, accepts = f"/static/{name}", "Accept-Encoding: gzip"
    coded, plain = client.get(path, accepts).get("ETag"), client.get(path).get("ETag")
    assert client.get(path, accepts, f"If-None-Match: {coded}").code == 304
    assert client.get(path, accepts, f"If-None-Match: {plain}").code == 200
    assert client.get(path, f"If-None-Match: {coded}").code == 200
    assert client.get(path, accepts, f"If-None-Match: {coded}").get("Vary") == "Accept-Encoding"


def test_ranges_are_of_what_is_sent(client: Client, name: str, packed: bytes) -> None:
    reply = client.get(f"/static/{name}", "Accept-Encoding: gzip", "Range: bytes=0-5")
    assert (reply.code, reply.body, reply.get("Content-Encoding")) == (206, b"packed", "gzip")
    assert reply.get("Content-Range") == f"bytes 0-5/{len(packed)}"


@pytest.mark.parametrize("times", [100, 10_000])
def test_text_that_is_not_compressed_yet(client: Client, root: Path, times: int) -> None:
    """Small files are compressed here, large ones are not. Whatever is done, all that is said about it fits."""
    content = b"body { color: black }\n" * times
    write(root / "a.css", content)
    path, accepts = "/static/a.css", "Accept-Encoding: gzip"
    reply = client.get(path, accepts)
    assert reply.get("Content-Length") == str(len(reply.body))
    assert (reply.get("Content-Encoding") == "gzip") == (len(content) < KEPT_FILE_BYTES)
    plain = gzip.decompress(reply.body) if reply.get("Content-Encoding") else reply.body
    assert plain == content
    head = client.get(path, accepts, method="HEAD")
    assert [field for field in head.fields if field[0] != "Date"] == [
        field for field in reply.fields if field[0] != "Date"
    ]
    assert client.get(path, accepts, f"If-None-Match: {reply.get('ETag')}").code == 304
    assert client.get(path).body == content


def test_ranges_are_not_of_what_is_compressed_here(client: Client, root: Path) -> None:
    content = b"body { color: black }\n" * 100
    write(root / "a.css", content)
    accepts = "Accept-Encoding: gzip"
    packed = client.get("/static/a.css", accepts)
    part = client.get("/static/a.css", accepts, "Range: bytes=0-9")
    assert (part.code, part.body, part.get("Content-Encoding")) == (206, content[:10], None)
    again = client.get("/static/a.css", accepts, "Range: bytes=0-9", f"If-Range: {packed.get('ETag')}")
    assert (again.code, again.body) == (200, content)


# ---------------------------------------------------------------- folders


def test_a_folder_without_a_slash(client: Client, root: Path) -> None:
    (root / "ä b").mkdir()
    write(root / "ä b" / "index.html", "index")
    reply = client.get("/static/%C3%A4%20b?x=1&y=%20")
    assert (reply.code, reply.get("Location")) == (301, "/static/%C3%A4%20b/?x=1&y=%20")
    assert client.get("/static/%C3%A4%20b/").body == b"index"


def test_the_mount_itself_without_a_slash(client: Client, root: Path) -> None:
    write(root / "index.html", "index")
    assert client.get("/static").get("Location") == "/static/"
    assert client.get("/static/").get("Content-Type") == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["//evil.example/dir", "///evil.example/dir", "/%2F/evil.example/dir", "/%5Cevil.example"]
)
def test_a_redirect_stays_on_this_host(rig: Rig, root: Path, path: str) -> None:
    for folder in (root / "evil.example" / "dir", root / "\\evil.example"):
        folder.mkdir(parents=True)
        write(folder / "index.html", "index")
    rig.folder(str(root))
    location = rig.client().get(path).get("Location")
    assert location is not None
    assert location.startswith("/")
    assert location[1] not in "/\\"


def test_a_listing(rig: Rig, root: Path) -> None:
    (root / "dir").mkdir()
    rig.folder(str(root), "/pub", listing=True)
    client = rig.client()
    assert client.get("/pub").get("Location") == "/pub/"
    page = client.get("/pub/", "Accept: text/html")
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    assert b"small.bin" in page.body
    assert b"<h1>/pub/</h1>" in page.body
    data = client.get("/pub/", "Accept: application/json")
    assert data.get("Content-Type") == "application/json"
    assert [entry["name"] for entry in json.loads(data.body)] == ["dir", "large.bin", "small.bin"]
    assert all((each.get("Vary") or "").startswith("Accept") for each in (page, data))
    head = client.get("/pub/", method="HEAD")
    assert (head.code, head.body) == (200, b"")
    assert client.get("/pub/dir/").code == 200
    assert client.get("/pub/none/").code == 404


def test_a_long_listing_is_compressed(rig: Rig, root: Path) -> None:
    for number in range(100):
        (root / f"{number}.txt").touch()
    rig.folder(str(root), "/pub", listing=True)
    rig.folder(str(root), "/plain", listing=True, gzip=False)
    client = rig.client()
    packed, plain = (client.get(path, "Accept-Encoding: gzip") for path in ("/pub/", "/plain/"))
    assert packed.get("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body).replace(b"/pub/", b"/plain/") == plain.body
    assert {name.strip() for name in (packed.get("Vary") or "").split(",")} == {"Accept", "Accept-Encoding"}


def test_a_listing_is_made_in_an_app_thread(make_rig: rigs.MakeRig, root: Path) -> None:
    rig = make_rig(threads=1)
    rig.folder(str(root), listing=True)
    assert b"small.bin" in rig.client().get("/").body


def test_a_folder_that_may_not_be_read(rig: Rig, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    rig.folder(str(root), listing=True)
    monkeypatch.setattr(os, "scandir", scandir)
    assert rig.client().get("/").code == 403


def test_without_listing_there_is_none(client: Client) -> None:
    assert client.get("/static/").code == 404


# ---------------------------------------------------------------- a page for whatever is missing


@pytest.mark.parametrize("fallback", ["/index.html", "index.html"])
def test_a_fallback(rig: Rig, root: Path, fallback: str) -> None:
    write(root / "index.html", "app")
    rig.folder(str(root), "/app", fallback=fallback)
    client = rig.client()
    for path in ("/app/", "/app/users/7", "/app/none.js"):
        reply = client.get(path)
        assert (reply.code, reply.body, reply.get("Content-Type")) == (200, b"app", "text/html; charset=utf-8")
    assert client.get("/app/small.bin").body == SMALL
    etag = etag_of(client, "/app/users/7")
    assert client.get("/app/users/8", f"If-None-Match: {etag}").code == 304


def test_a_fallback_is_not_for_what_is_refused(rig: Rig, root: Path) -> None:
    write(root / "index.html", "app")
    rig.folder(str(root), fallback="index.html")
    client = rig.client()
    for path in ("/.env", "/.git/config", "/a/../b"):
        assert client.get(path).code == 404


def test_a_fallback_that_is_missing(rig: Rig, root: Path) -> None:
    rig.folder(str(root), fallback="index.html")
    assert rig.client().get("/none").code == 404


def test_other_addresses_do_not_fill_the_cache(rig: Rig, root: Path) -> None:
    write(root / "index.html", "app")
    folder = rig.folder(str(root), fallback="index.html")
    client = rig.client()
    for number in range(100):
        assert client.get(f"/user/{number}").body == b"app"
    assert len(folder._cache) == 1


# ---------------------------------------------------------------- links


def test_links_out_of_the_folder(rig: Rig, root: Path) -> None:
    (root / "link.txt").symlink_to("../secret.txt")
    (root / "up").symlink_to("..")
    rig.folder(str(root), "/strict", listing=True)
    rig.folder(str(root), "/free", symlinks=True)
    client = rig.client()
    for path in ("/link.txt", "/up", "/up/", "/up/secret.txt"):
        assert client.get(f"/strict{path}").code == 404
    assert client.get("/free/link.txt").body == b"secret"
    assert client.get("/free/up/secret.txt").body == b"secret"


def test_time_passes(rig: Rig, root: Path) -> None:
    """What was found counts for a second of the engine's clock."""
    path = write(root / "a.txt", "old")
    rig.folder(str(root))
    client = rig.client()
    assert client.get("/a.txt").body == b"old"
    write(path, "newer", age_s=1)
    assert client.get("/a.txt").body == b"old"
    rig.advance(2.0)
    assert client.get("/a.txt").body == b"newer"
    path.unlink()
    rig.advance(2.0)
    assert client.get("/a.txt").code == 404
