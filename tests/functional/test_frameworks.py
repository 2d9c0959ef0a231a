"""Flask, Django (by WSGI and by ASGI) and FastAPI, with the apps of their tutorials, from a conf: what a visitor of
such a site does.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.functional.running import WAIT_S, Master, Place, connect, wait_for

FRAMEWORKS = Path(__file__).parent / "frameworks"
FORM = "application/x-www-form-urlencoded"


class Browser:
    """Keeps cookies and its connection."""

    def __init__(self, address: str, host: str = "site.example") -> None:
        self._host = host
        self._cookies: dict[str, str] = {}
        self._connection = http.client.HTTPConnection(host)
        self._connection.sock = connect(address)

    def ask(self, method: str, path: str, body: Any = None, **fields: str) -> http.client.HTTPResponse:
        if self._cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return response

    def get(self, path: str, status: int = 200) -> str:
        """The body of a page."""
        response = self.ask("GET", path)
        body = response.read().decode()
        assert response.status == status, body
        return body

    def post(self, path: str, status: int = 302, **values: str) -> str:
        """Send a form; the body, or where it leads."""
        response = self.ask("POST", path, urlencode(values), Content_Type=FORM)
        body = response.read().decode()
        assert response.status == status, body
        return response.headers.get("Location") or body

    def json(self, method: str, path: str, value: Any = None, **fields: str) -> tuple[int, Any]:
        body = None if value is None else json.dumps(value)
        fields.setdefault("Content_Type", "application/json")
        response = self.ask(method, path, body, **fields)
        return response.status, json.loads(response.read())

    def close(self) -> None:
        """Also in the middle of whatever it is."""
        self._connection.close()


Browse = Callable[..., Browser]


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Makes browsers."""
    browsers: list[Browser] = []

    def make(master: Master, host: str = "site.example") -> Browser:
        browsers.append(Browser(master.address, host))
        return browsers[-1]

    yield make
    for browser in browsers:
        browser.close()


@contextmanager
def serving(root: Path, routes: str, **environ: str) -> Iterator[Master]:
    """A master with these routes."""
    place = Place(root)
    more = "[environment]\n" + "".join(f"{name} = {value}\n" for name, value in environ.items())
    place.site(routes=routes, more=more)
    master = Master(place)
    try:
        yield master.ready()
    finally:
        master.end()


def made(factory: pytest.TempPathFactory, name: str) -> Path:
    root = factory.mktemp(name)
    root.chmod(0o755)
    return root


# ---------------------------------------------------------------- Flask


@pytest.fixture(scope="module")
def flask_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    pytest.importorskip("flask", reason="Flask is not installed: the test extra has it")
    root = made(tmp_path_factory, "flask")
    routes = f"/ = {FRAMEWORKS}/flaskr\n/blog = {FRAMEWORKS}/flaskr:app"
    with serving(root, routes, FLASKR_DATABASE=str(root / "flaskr.sqlite")) as master:
        yield master


def test_flask_register_log_in_and_write(flask_site: Master, browse: Browse) -> None:
    browser = browse(flask_site)
    assert "nobody" in browser.get("/")
    assert browser.post("/create", title="x") == "/auth/login"
    assert browser.post("/auth/register", username="anna", password="a") == "/auth/login"
    assert browser.post("/auth/register", 200, username="anna", password="b").count("already registered") == 1
    assert "Incorrect" in browser.post("/auth/login", 200, username="anna", password="b")
    assert browser.post("/auth/login", username="anna", password="a") == "/"
    assert browser.post("/create", title="Grüße", body="<b>") == "/"
    page = browser.get("/")
    assert "<span>anna</span>" in page
    assert "<h1>Grüße</h1><p>by anna: &lt;b&gt;</p>" in page
    assert browser.post("/create", 400, title="")


def test_flask_below_a_mount_point(flask_site: Master, browse: Browse) -> None:
    browser = browse(flask_site)
    assert 'href="/blog/static/style.css"' in browser.get("/blog/auth/login")
    assert "sans-serif" in browser.get("/blog/static/style.css")
    assert browser.post("/blog/create", title="x") == "/blog/auth/login"


# ---------------------------------------------------------------- Django


@pytest.fixture(scope="module")
def django_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    django = pytest.importorskip("django", reason="Django is not installed: the test extra has it")
    root = made(tmp_path_factory, "django")
    project = FRAMEWORKS / "mysite"
    database = str(root / "polls.sqlite")
    _prepare(project, database)
    admin_files = Path(django.__file__).parent / "contrib" / "admin" / "static"
    lines = [
        f"/static = {admin_files}", f"/ = {project}/mysite/wsgi:application",
        f"/sub = {project}/mysite/wsgi:application", ": asgi.example", f"/static = {admin_files}",
        f"/ = {project}/mysite/asgi:application", f"/sub = {project}/mysite/asgi:application",
    ]  # fmt: skip
    with serving(root, "\n".join(lines), POLLS_DATABASE=database) as master:
        yield master


def _prepare(project: Path, database: str) -> None:
    """Tables, somebody who may use the admin, and a question."""
    code = (
        "import django; django.setup()\n"
        "from django.contrib.auth.models import User\n"
        "from django.core.management import call_command\n"
        "from django.utils import timezone\n"
        "from polls.models import Question\n"
        "call_command('migrate', verbosity=0)\n"
        "User.objects.create_superuser('boss', password='secret')\n"
        'question = Question.objects.create(question_text="What\'s up?", pub_date=timezone.now())\n'
        "for text in ('Not much', 'The sky'):\n"
        "    question.choice_set.create(choice_text=text)\n"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "mysite.settings", "POLLS_DATABASE": database}
    subprocess.run([sys.executable, "-c", code], cwd=project, env=environ, check=True, timeout=WAIT_S * 2)


@pytest.fixture(params=["wsgi.example", "asgi.example"])
def visitor(request: pytest.FixtureRequest, django_site: Master, browse: Browse) -> Browser:
    return browse(django_site, request.param)


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found, page
    return found[1]


def test_django_polls(visitor: Browser) -> None:
    assert '<a href="/polls/1/">What&#x27;s up?</a>' in visitor.get("/polls/")
    page = visitor.get("/polls/1/")
    before = int(re.findall(r"-- (\d+)", visitor.get("/polls/1/results/"))[1])
    assert visitor.post("/polls/1/vote/", choice="2", csrfmiddlewaretoken=_csrf(page)) == "/polls/1/results/"
    assert int(re.findall(r"-- (\d+)", visitor.get("/polls/1/results/"))[1]) == before + 1
    assert "select a choice" in visitor.post("/polls/1/vote/", 200, csrfmiddlewaretoken=_csrf(page))
    assert "CSRF" in visitor.post("/polls/1/vote/", 403, choice="2", csrfmiddlewaretoken="wrong")
    visitor.get("/polls/9/", 404)
    assert visitor.ask("GET", "/polls").getheader("Location") == "/polls/"


def test_django_admin_and_its_static_files(visitor: Browser) -> None:
    login = visitor.get("/admin/login/?next=/admin/")
    values = {"username": "boss", "password": "secret", "next": "/admin/", "csrfmiddlewaretoken": _csrf(login)}
    assert visitor.post("/admin/login/", **values) == "/admin/"
    page = visitor.get("/admin/")
    assert "Site administration" in page
    links = re.findall(r'(?:href|src)="(/static/admin/[^"]+)"', page)
    assert len(links) > 3
    for link in links:
        assert visitor.get(link)
    added = visitor.get("/admin/polls/question/add/")
    values = {"question_text": "Why?", "pub_date_0": "2026-01-02", "pub_date_1": "03:04:05"}
    assert visitor.post("/admin/polls/question/add/", csrfmiddlewaretoken=_csrf(added), **values)
    assert "Why?" in visitor.get("/polls/")


def test_django_below_a_mount_point(visitor: Browser) -> None:
    assert '<a href="/sub/polls/1/">' in visitor.get("/sub/polls/")


def test_django_streams_and_fails(visitor: Browser, django_site: Master) -> None:
    assert visitor.get("/polls/live/") == "0\n1\n2\n3\n4\n"
    visitor.get("/polls/fails/", 500)
    wait_for(lambda: "ValueError: a view that fails" in django_site.place.log("stderr"), "the traceback in a log")


# ---------------------------------------------------------------- FastAPI and Starlette


@pytest.fixture(scope="module")
def fastapi_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    pytest.importorskip("fastapi", reason="FastAPI is not installed: the test extra has it")
    root = made(tmp_path_factory, "fastapi")
    with serving(root, f"/ = asgi:{FRAMEWORKS}/fast:app\n/api = {FRAMEWORKS}/fast") as master:
        yield master


@pytest.fixture(params=["", "/api"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(fastapi_site: Master, browse: Browse) -> Browser:
    return browse(fastapi_site)


def test_fastapi_parameters_and_bodies(client: Browser, prefix: str) -> None:
    assert client.json("GET", f"{prefix}/items/?q=%C3%A9&skip=2") == (200, {"q": "é", "skip": 2, "limit": 100})
    url = f"http://site.example{prefix}/items/5"
    assert client.json("GET", f"{prefix}/items/5") == (200, {"item_id": 5, "url": url, "model": "loaded"})
    item = {"name": "Foo", "price": 45.2, "tax": None}
    assert client.json("PUT", f"{prefix}/items/7", item) == (200, {"item_id": 7, **item})
    status, answer = client.json("PUT", f"{prefix}/items/x", {"name": "Foo"})
    assert (status, {error["loc"][-1] for error in answer["detail"]}) == (422, {"item_id", "price"})
    assert client.json("GET", f"{prefix}/nowhere") == (404, {"detail": "Not Found"})
    assert client.json("POST", f"{prefix}/items/7")[0] == 405


def test_fastapi_dependencies_run_in_threads(client: Browser, prefix: str) -> None:
    assert client.json("GET", f"{prefix}/guarded", X_Token="wrong")[0] == 400
    status, thread = client.json("GET", f"{prefix}/guarded", X_Token="secret")
    assert (status, thread) != (200, "MainThread")
    assert status == 200


def test_fastapi_documents_itself(client: Browser, prefix: str) -> None:
    status, schema = client.json("GET", f"{prefix}/openapi.json")
    assert (status, "/items/{item_id}" in schema["paths"]) == (200, True)
    assert schema.get("servers", [{"url": ""}])[0]["url"] == prefix
    assert f"{prefix}/openapi.json" in client.get(f"{prefix}/docs")


def test_fastapi_takes_a_large_upload(client: Browser, prefix: str) -> None:
    assert client.json("POST", f"{prefix}/upload", "x" * 3_000_000) == (200, 3_000_002)
    pieces = iter([b"x" * 100_000] * 20)
    response = client.ask("POST", f"{prefix}/upload", pieces)  # chunked, as its length is not known
    assert json.loads(response.read()) == 2_000_000


def test_fastapi_streams(client: Browser, prefix: str) -> None:
    assert client.get(f"{prefix}/stream?count=20") == "".join(f"line {number}\n" for number in range(20))


def test_a_client_that_leaves_ends_its_stream_without_a_word_in_the_log(
    client: Browser, fastapi_site: Master, browse: Browse
) -> None:
    other = browse(fastapi_site)
    assert other.ask("GET", "/endless").read(100_000) == b"x" * 100_000
    other.close()
    wait_for(lambda: "endless ended" in client.json("GET", "/done")[1], "the end of the stream")
    assert "endless" not in fastapi_site.place.log("app")


def test_fastapi_works_on_in_the_background(client: Browser) -> None:
    assert client.json("POST", "/notify") == (200, "accepted")
    wait_for(lambda: "notified" in client.json("GET", "/done")[1], "the background task")


def test_an_upload_that_is_given_up_is_no_failure_of_the_app(client: Browser, fastapi_site: Master) -> None:
    sock = connect(fastapi_site.address)
    sock.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
    sock.close()
    wait_for(lambda: "POST /upload" in fastapi_site.place.log("request"), "its line in the request log")
    assert client.get("/stream")
    assert "ClientDisconnect" not in fastapi_site.place.log("app")


def test_a_failing_endpoint_is_a_500_and_a_traceback(client: Browser, fastapi_site: Master) -> None:
    client.get("/fails", 500)
    wait_for(lambda: "ValueError: an endpoint that fails" in fastapi_site.place.log("app"), "the traceback")


def test_an_app_mounted_twice_lives_once(client: Browser) -> None:
    assert client.json("GET", "/done")[1].count("started") == 1


def test_the_lifespan_ends_with_the_worker(tmp_path: Path, browse: Browse) -> None:
    pytest.importorskip("fastapi", reason="FastAPI is not installed: the test extra has it")
    tmp_path.chmod(0o755)
    with serving(tmp_path, f"/ = {FRAMEWORKS}/fast") as master:
        assert browse(master).json("GET", "/done") == (200, ["started"])
        assert master.stop() == 0
        assert "fast: the lifespan has ended" in master.place.log("stderr") + master.place.log("app")
