"""The sample's Atila app in a daemon with two workers: what has to hold across them, and what uploads leave behind."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.request import HTTPDigestAuthHandler, HTTPPasswordMgrWithDefaultRealm, build_opener

import pytest

from tests.functional.running import ROOT, Client, Master, Place

SAMPLE = ROOT / "etc" / "skitaid" / "sample"
DIGEST_APP = """
import os
from skitaid.atila import Atila

app = Atila(__name__)
app.users = {"ada": "1234"}

@app.route("/", authenticate="digest")
def index(was):
    return f"{was.user} {os.getpid()}"

@app.route("/intro/<page>")
def intro(was, page):
    site = f"http://127.0.0.1:{was.env['SERVER_PORT']}"
    was.g.aa = was.get(site + "/desk/api/files")
    was.g.bb = was.get(site + "/nowhere")
    return was.render(page + ".html")
"""
# The template of the documents: what was asked for is waited for where it is shown.
TEMPLATES = {
    "all": """
{% set response = was.g.aa.dispatch () %}
{% if response.status == 3 %}{% if response.status_code == 200 %}
{% for each in response.data["files"] %}{{ each }}{% endfor %}here{% endif %}{% endif %}
{% if was.g.bb.dispatch ().status_code != 404 %}{{ was.response.throw ("500 Internal Server Error") }}{% endif %}
""",
    "throws": '{% set response = was.g.bb.dispatch_or_throw ("503 Service Unavailable") %}',
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("desk"))
    (place.root / "temporary").mkdir()
    place.app("secret", DIGEST_APP)
    (place.apps / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (place.apps / "templates" / f"{name}.html").write_text(text)
    routes = f"/desk = {SAMPLE}/desk\n/hello = {SAMPLE}/hello\n/secret = ../../apps/secret"
    place.site("processes = 2\nthreads = 2", routes=routes)
    return place


@pytest.fixture(scope="module")
def site(place: Place) -> Iterator[Master]:
    master = Master(place, TMPDIR=str(place.root / "temporary"))
    try:
        yield master.ready()
    finally:
        master.end()


class Visitor:
    """A browser that opens a connection for each request, so that it meets both workers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **fields: str) -> tuple[int, str]:
        given = {name.replace("_", "-"): value for name, value in fields.items()}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        client = Client(self.address)
        try:
            client.request(method, path, body or None, given)
            answer = client.getresponse()
            text = answer.read().decode()
        finally:
            client.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, text

    def token(self, path: str) -> str:
        match = re.search(r'name="XSRF_TOKEN" value="([^"]+)"', self.ask("GET", path)[1])
        assert match is not None
        return match[1]


def part(name: str, content: bytes, filename: str = "") -> bytes:
    given = f'; filename="{filename}"' if filename else ""
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{given}\r\n\r\n'.encode() + content + b"\r\n"


FORM = {"Content_Type": "multipart/form-data; boundary=B"}


def left_in(place: Place) -> list[Path]:
    return list((place.root / "temporary").glob("upload-*"))


def test_a_session_holds_in_both_workers(site: Master) -> None:
    visitor = Visitor(site.address)
    form = f"name=Ada&password=desk&XSRF_TOKEN={visitor.token('/desk/sign-in')}".encode()
    assert visitor.ask("POST", "/desk/sign-in", form, Content_Type="application/x-www-form-urlencoded")[0] == 303
    pages = [visitor.ask("GET", "/desk/")[1] for _ in range(10)]
    assert all("Sign out Ada" in page for page in pages)
    assert [("Welcome, Ada." in page) for page in pages] == [True] + [False] * 9


def test_an_upload_in_pieces_and_one_that_is_too_large(site: Master, place: Place) -> None:
    visitor = Visitor(site.address)
    basic = "Basic " + b64encode(b"ada:desk").decode()
    token = json.loads(visitor.ask("POST", "/desk/api/token", Authorization=basic)[1])["token"]
    given = {**FORM, "Authorization": f"Bearer {token}"}

    def pieces(size: int) -> Iterator[bytes]:
        yield part("file", b"x" * size, "large.bin")[:-2]
        yield b"\r\n--B--\r\n"

    assert visitor.ask("POST", "/desk/api/files", pieces(1 << 20), **given)[0] == 201
    listed = json.loads(visitor.ask("GET", "/desk/api/files")[1])["files"]
    assert listed == [{"name": "large.bin", "bytes": 1 << 20}]
    assert visitor.ask("POST", "/desk/api/files", pieces((1 << 20) + 1), **given)[0] == 413
    assert left_in(place) == []


def test_other_pages_are_asked_at_once(site: Master) -> None:
    status, text = Visitor(site.address).ask("GET", "/desk/neighbours")
    assert status == 200
    assert re.findall(r'<tr><td>(/\w+)[^<]*<td class="number">(\d+)', text)[0] == ("/hello", "200")


def test_a_template_waits_for_what_was_asked(site: Master) -> None:
    status, text = Visitor(site.address).ask("GET", "/secret/intro/all")
    assert (status, text.strip()[-4:]) == (200, "here")
    assert Visitor(site.address).ask("GET", "/secret/intro/throws")[0] == 503


def test_digests_are_good_in_both_workers(site: Master) -> None:
    passwords = HTTPPasswordMgrWithDefaultRealm()
    url = f"http://{site.address}/secret/"
    passwords.add_password(None, url, "ada", "1234")
    opener = build_opener(HTTPDigestAuthHandler(passwords))
    answers = {opener.open(url, timeout=20).read().decode() for _ in range(20)}
    assert answers <= {f"ada {pid}" for pid in site.workers}
