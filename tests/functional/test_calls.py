"""Calls of apps to other servers, over real connections: every form that the documents give."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import threading
import xmlrpc.client
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher

import pytest

from skitaid import was
from skitaid.was.errors import HTTPError
from skitaid.was.messages.errors import CallError, RpcFault
from tests.functional.calling import Backend, Request, backend, calling, response
from tests.functional.engines import PATIENCE_S

OK = 3


def as_json(value: object, status: int = 200, **fields: str) -> bytes:
    return response(status, json.dumps(value).encode(), Content_Type="application/json", **fields)


class Calculator:
    """What the RPC backends publish."""

    def add(self, a: int, b: int) -> int:
        return a + b

    def get_prime_number_gt(self, number: int) -> int:
        while any(number % each == 0 for each in range(2, number)):
            number += 1
        return number

    def echo(self, value: Any) -> Any:
        return value

    def fail(self) -> None:
        raise ValueError("it does that")


def xml_rpc(dispatcher: SimpleXMLRPCDispatcher, body: bytes) -> bytes:
    answer = dispatcher._marshaled_dispatch(body)  # type: ignore[arg-type]
    assert isinstance(answer, bytes)
    return response(200, answer, Content_Type="text/xml")


def json_rpc(body: bytes) -> bytes:
    calls = json.loads(body)
    answers = [answer for each in (calls if isinstance(calls, list) else [calls]) if (answer := json_rpc_one(each))]
    if not answers:
        return response(204)
    return as_json(answers if isinstance(calls, list) else answers[0])


def json_rpc_one(call: dict[str, Any]) -> dict[str, Any] | None:
    if "id" not in call:
        return None
    params = call.get("params", [])
    try:
        method = getattr(Calculator(), call["method"])
        result = method(**params) if isinstance(params, dict) else method(*params)
    except (TypeError, ValueError) as error:
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": str(error)}}
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def digest_of(*parts: str) -> str:
    return hashlib.sha256(":".join(parts).encode()).hexdigest()


def guarded(request: Request, nonces: list[str]) -> bytes:
    """As a server of RFC 7616 judges."""
    found = dict(re.findall(r'(\w+)="?([^",]*)"?', request.fields.get("authorization", "").removeprefix("Digest ")))
    asked = digest_of(request.method, request.target)
    secret = digest_of("me", "here", "secret")
    if found.get("nonce") == nonces[-1]:
        expected = digest_of(secret, nonces[-1], found["nc"], found["cnonce"], "auth", asked)
        if found["response"] == expected:
            return as_json({"user": found["username"], "nc": found["nc"]})
    stale = "true" if found.get("nonce") in nonces[:-1] else "false"
    challenge = f'Digest realm="here", nonce="{nonces[-1]}", qop="auth", algorithm=SHA-256, stale={stale}'
    return response(401, b"", WWW_Authenticate=challenge)


class World:
    """The backends and what they know."""

    def __init__(self) -> None:
        self.dispatcher = SimpleXMLRPCDispatcher(allow_none=True)
        self.dispatcher.register_instance(Calculator())
        self.dispatcher.register_introspection_functions()
        self.dispatcher.register_multicall_functions()
        self.nonces = ["n1"]
        self.together = threading.Barrier(2)
        self.backends: list[Backend] = []
        self.urls: list[str] = []

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def last(self) -> Request:
        return self.backends[0].requests[-1]

    def respond(self, request: Request) -> bytes:
        kind, _, rest = request.path[1:].partition("/")
        match kind:
            case "rpc2":
                return xml_rpc(self.dispatcher, request.body)
            case "jsonrpc":
                return json_rpc(request.body)
            case "digest":
                return guarded(request, self.nonces)
            case "basic":
                if request.fields.get("authorization") == "Basic bWU6c2VjcmV0":
                    return as_json("in")
                return response(401, b"", WWW_Authenticate='Basic realm="here"')
            case "redirect":
                return response(int(rest.partition("/")[0]), b"elsewhere", Location=rest.partition("/")[2])
            case "gzip":
                body = gzip.compress(json.dumps(list(range(1000))).encode())
                return response(200, body, Content_Type="application/json", Content_Encoding="gzip")
            case "text":
                return response(200, "<p>é</p>".encode("latin-1"), Content_Type="text/html; charset=iso-8859-1")
            case "form":
                return response(200, b"ACK=Success&A=1&A=2", Content_Type="application/x-www-form-urlencoded")
            case "status":
                return as_json({"error": rest}, int(rest))
            case "cookie":
                return as_json(request.fields.get("cookie"), Set_Cookie="a=1; Path=/")
            case "together":
                self.together.wait(PATIENCE_S)
        return as_json({
            "method": request.method, "target": request.target, "fields": request.fields,
            "body": request.body.decode("latin-1"), "by": request.fields["host"],
        })  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World()
    with backend(found.respond) as first, backend(found.respond) as second:
        for each, url in (first, second):
            found.backends.append(each)
            found.urls.append(url)
        members = [("127.0.0.1", int(url.rpartition(":")[2])) for url in found.urls]
        aliases = {"myapi": members[:1], "myrpc": members[:1], "mysearch": members}
        with calling(tmp_path_factory.mktemp("var"), aliases):
            yield found


# ---------------------------------------------------------------- plain calls


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("get", "GET"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE"),
        ("options", "OPTIONS"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["", "lb"])
def test_each_method(world: World, method: str, sent: str, form: str) -> None:
    begin = getattr(was, method)
    result = (getattr(begin, form) if form else begin)("@myapi/v1/some-resources/100").dispatch(timeout=10)
    assert (result.status, result.status_code, result.data["method"]) == (OK, 200, sent)
    assert result.data["target"] == "/v1/some-resources/100"


def test_head(world: World) -> None:
    with backend(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n") as (found, url):
        result = was.head(f"{url}/x").dispatch(10)
    assert (result.status_code, result.content, found.requests[0].method) == (200, b"", "HEAD")


def test_get_with_a_query(world: World) -> None:
    assert was.get(f"{world.url}/find?a=1", {"q": "snow board"}).fetch(10)["target"] == "/find?a=1&q=snow+board"


def test_two_at_a_time(world: World) -> None:
    """Neither is answered before the other has come."""
    req1 = was.get(f"{world.url}/together")
    req2 = was.post(f"{world.url}/together", {"user": "Hans Roh", "comment": "Hello"})
    response1, response2 = req1.dispatch(timeout=10), req2.dispatch(timeout=10)
    assert response1.data["method"] == "GET"
    assert response2.data["body"] == '{"user":"Hans Roh","comment":"Hello"}'


def test_what_a_response_tells(world: World) -> None:
    result = was.get("@myapi/x").dispatch(10)
    assert result.status == was.STA_NORMAL == OK
    assert (result.status_code, result.code, result.reason) == (200, 200, "Status")
    assert result.get_header("Content-Type") == result.headers["content-type"] == "application/json"
    assert json.loads(result.text) == json.loads(result.content) == result.data


def test_the_types_of_data(world: World) -> None:
    assert was.get("@myapi/gzip").fetch(10) == list(range(1000))
    result = was.get("@myapi/text").dispatch(10)
    assert result.data == result.text == "<p>é</p>"
    assert was.get("@myapi/form").fetch(10) == {"ACK": "Success", "A": ["1", "2"]}


def test_json_by_default(world: World) -> None:
    found = was.post("@myapi/x", {"a": 1}).fetch(10)
    assert found["fields"]["content-type"] == found["fields"]["accept"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/xml")],
        {"content-Type": "application/x-www-form-urlencoded", "Accept": "text/xml"},
    ],
)
def test_types_by_headers(world: World, headers: Any) -> None:
    found = was.post("@myapi/documents", {"Title": "...", "Content": "a b"}, headers=headers).fetch(10)
    assert found["body"] == "Title=...&Content=a+b"
    assert found["fields"]["content-type"] == "application/x-www-form-urlencoded"
    assert found["fields"]["accept"] == "text/xml"


@pytest.mark.parametrize(
    ("name", "method", "data", "sent"),
    [
        ("postform", "POST", {"a": 1}, ("a=1", "application/x-www-form-urlencoded")),
        ("putform", "PUT", {"a": 1}, ("a=1", "application/x-www-form-urlencoded")),
        ("postxml", "POST", "<a/>", ("<a/>", "text/xml")),
        ("putxml", "PUT", "<a/>", ("<a/>", "text/xml")),
        ("postnvp", "POST", {"a": 1}, ("a=1", "text/namevalue")),
        ("putnvp", "PUT", {"a": 1}, ("a=1", "text/namevalue")),
        ("postjson", "POST", {"a": 1}, ('{"a":1}', "application/json")),
        ("putjson", "PUT", {"a": 1}, ('{"a":1}', "application/json")),
    ],
)
def test_the_older_names_with_a_body(world: World, name: str, method: str, data: Any, sent: tuple[str, str]) -> None:
    found = getattr(was, name)(f"{world.url}/x", data).getwait(10).data
    assert (found["method"], found["body"], found["fields"]["content-type"]) == (method, *sent)


@pytest.mark.parametrize(
    ("name", "method", "accept"),
    [
        ("getjson", "GET", "application/json"), ("getxml", "GET", "text/xml"),
        ("deletejson", "DELETE", "application/json"),
    ],
)  # fmt: skip
def test_the_older_names_without(world: World, name: str, method: str, accept: str) -> None:
    found = getattr(was, name)(f"{world.url}/x", {"a": 1}).getwait(10).data
    assert (found["method"], found["target"], found["fields"]["accept"]) == (method, "/x?a=1", accept)


def test_upload(world: World, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    (tmp_path / "logo.png").write_bytes(content)
    with (tmp_path / "logo.png").open("rb") as file:
        task = was.upload(f"{world.url}/x", {"user": "Hans Roh", "file": file})
    assert task.getwait(10).status_code == 200
    assert world.last.method == "POST"
    assert content in world.last.body and b'filename="logo.png"' in world.last.body
    assert world.last.fields["content-length"] == str(len(world.last.body))


def test_upload_to_all(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"to all of them")
    results = was.upload.map("@mysearch/x", {"file": tmp_path / "a.txt"}).dispatch(10)
    assert [b"to all of them" in each.content for each in results] == [True, True]


def test_old_loop(world: World) -> None:
    s = was.get(f"{world.url}/x")
    result = s.getwait(5)
    assert result.status == OK and result.code == 200
    assert result.data["method"] == "GET"


def test_what_is_wrong_is_told_at_once(world: World) -> None:
    for words in (("/x",), ("@nobody/x",), ("ftp://h/",), ("http://h:x/",)):
        with pytest.raises(CallError):
            was.get(*words)
    with pytest.raises(CallError):
        was.post(f"{world.url}/x", {"a": object()})


def test_a_callback(world: World) -> None:
    heard: list[Any] = []
    called = threading.Event()

    def note(result: Any) -> None:
        heard.append(result.data["method"])
        called.set()

    was.delete("@myapi/v1/sessions", callback=note)
    assert called.wait(10) and heard == ["DELETE"]


def test_refusals(world: World) -> None:
    result = was.get("@myapi/status/404").dispatch(10)
    assert (result.status, result.status_code, result.data) == (OK, 404, {"error": "404"})
    for throw in ("dispatch_or_throw", "fetch", "one", "commit"):
        with pytest.raises(HTTPError):
            getattr(was.get("@myapi/status/500"), throw)(10)


# ---------------------------------------------------------------- several members


def test_load_balancing(world: World) -> None:
    heard = {was.get.lb("@mysearch/x", use_cache=False).fetch(10)["by"] for _ in range(4)}
    assert len(heard) == 2


def test_map(world: World) -> None:
    results = was.get.map("@mysearch/x").getswait(10)
    assert results.code == [200, 200]
    assert [f"http://{result.data['by']}" for result in results] == world.urls


# ---------------------------------------------------------------- credentials, redirects, cookies


def test_digest(world: World) -> None:
    before = len(world.backends[0].requests)
    assert was.get("@myapi/digest/a", auth=("me", "secret")).fetch(10)["user"] == "me"
    assert len(world.backends[0].requests) - before == 2
    first = was.get("@myapi/digest/b", {"q": 1}, auth=("me", "secret")).fetch(10)
    assert len(world.backends[0].requests) - before == 3, "the nonce is used again"
    assert first["nc"] == "00000002"
    world.nonces.append("n2")
    assert was.get("@myapi/digest/c", auth=("me", "secret")).fetch(10)["nc"] == "00000001"
    assert was.get("@myapi/digest/d", auth=("me", "wrong")).dispatch(10).status_code == 401
    assert all("secret" not in request.fields.get("authorization", "") for request in world.backends[0].requests)


def test_basic(world: World) -> None:
    assert was.get("@myapi/basic", auth=("me", "secret")).fetch(10) == "in"
    assert was.get("@myapi/basic", auth=("me", "wrong")).dispatch(10).status_code == 401
    assert was.get(world.url.replace("//", "//me:secret@") + "/basic").fetch(10) == "in"
    assert was.get("@myapi/basic").dispatch(10).status_code == 401


def test_bearer(world: World) -> None:
    assert was.get("@myapi/x", auth="abc.def").fetch(10)["fields"]["authorization"] == "Bearer abc.def"


def test_redirects(world: World) -> None:
    assert was.get("@myapi/redirect/302//there?a=1").fetch(10)["target"] == "/there"
    found = was.post("@myapi/redirect/303//there", {"a": 1}).fetch(10)
    assert (found["method"], found["body"]) == ("GET", "")
    found = was.post("@myapi/redirect/307//there", {"a": 1}).fetch(10)
    assert (found["method"], found["body"]) == ("POST", '{"a":1}')
    result = was.get("@myapi/redirect/302//redirect/302//redirect/302//there").dispatch(10)
    assert result.status_code == 200


def test_a_redirect_to_another_server_takes_no_credentials_along(world: World) -> None:
    other = f"{world.urls[1]}/there"
    found = was.get(f"{world.url}/redirect/302/{other}", auth="abc", headers={"Cookie": "a=1"}).fetch(10)
    assert f"http://{found['by']}" == world.urls[1]
    assert "authorization" not in found["fields"] and "cookie" not in found["fields"]


def test_redirects_end(world: World) -> None:
    with backend(lambda request: response(302, b"", Location="/again")) as (_, url):
        result = was.get(f"{url}/").dispatch(10)
    assert (result.status, result.status_code) == (was.STA_REQFAIL, 502)


def test_cookies_are_the_apps_own_business(world: World) -> None:
    result = was.get("@myapi/cookie").dispatch(10)
    assert result.get_header("Set-Cookie") == "a=1; Path=/"
    assert was.get("@myapi/cookie?2").fetch(10) is None
    assert was.get("@myapi/cookie?3", headers={"Cookie": "a=1"}).fetch(10) == "a=1"


# ---------------------------------------------------------------- XML-RPC


def test_xmlrpc(world: World) -> None:
    with was.xmlrpc("@myrpc/rpc2") as stub:
        assert stub.add(10000, 5000).fetch(10) == 15000
        assert "add" in stub.system.listMethods().fetch(10)
    assert was.rpc("@myrpc/rpc2").add(1, 2).dispatch(10).data == 3
    assert world.last.fields["content-type"].startswith("text/xml")


def test_xmlrpc_in_the_older_form(world: World) -> None:
    s = was.rpc(f"{world.url}/rpc2")
    s.get_prime_number_gt(10000)
    result = s.getwait(10)
    assert (result.status, result.code, result.data) == (OK, 200, 10007)
    assert (s.code, s.status) == (200, OK)
    s.cache(60)


def test_xmlrpc_with_credentials(world: World) -> None:
    assert was.rpc(f"{world.url}/rpc2", auth=("me", "secret")).add(1, 2).getwait(10).data == 3


def test_xmlrpc_to_all(world: World) -> None:
    s = was.rpc.map("@mysearch/rpc2")
    s.add(1, 2)
    assert [result.data for result in s.getswait(10)] == [3, 3]
    with was.rpc.map("@mysearch/rpc2") as stub:
        assert [result.data for result in stub.add(2, 2).dispatch(timeout=10)] == [4, 4]


def test_xmlrpc_balanced(world: World) -> None:
    assert was.rpc.lb("@mysearch/rpc2").add(1, 2).fetch(10) == 3


@pytest.mark.parametrize(
    "value", [None, b"\0\xff", datetime(2024, 1, 2, 3, 4, 5), {"a": [1, 2.5, "é<&>\n"]}, "", [], True]
)
def test_xmlrpc_values(world: World, value: Any) -> None:
    world.dispatcher.use_builtin_types = True
    assert was.xmlrpc("@myrpc/rpc2").echo(value).fetch(10) == value


def test_xmlrpc_faults(world: World) -> None:
    result = was.xmlrpc("@myrpc/rpc2").fail().dispatch(10)
    assert (result.status, result.status_code) == (was.STA_REQFAIL, 500)
    assert isinstance(result.error, xmlrpc.client.Fault) and "it does that" in result.error.faultString
    with pytest.raises(HTTPError) as caught:
        was.xmlrpc("@myrpc/rpc2").fail().fetch(10)
    assert isinstance(caught.value.__cause__, RpcFault)


def test_xmlrpc_multicall(world: World) -> None:
    with was.xmlrpc.batch("@myrpc/rpc2") as calls:
        calls.add(1, 2)
        calls.fail()
        calls.echo("x")
        values = calls().fetch(10)
    assert values[0] == 3 and values[2] == "x"
    assert isinstance(values[1], RpcFault)
    assert len(calls) == 0
    with pytest.raises(CallError):
        calls()


def test_stubs_without_a_call(world: World) -> None:
    with pytest.raises(CallError):
        was.rpc.lb("@mysearch/rpc2").getwait(2)
    with pytest.raises(CallError):
        was.rpc("@myrpc/rpc2", {"a": 1})
    with pytest.raises(AttributeError):
        was.rpc("@myrpc/rpc2").__wrapped__  # noqa: B018


# ---------------------------------------------------------------- JSON-RPC


def test_jsonrpc(world: World) -> None:
    with was.jsonrpc("@myrpc/jsonrpc") as stub:
        assert stub.add(1, 2).fetch(10) == 3
        assert stub.add(a=1, b=2).fetch(10) == 3
    with was.jsonrpc.lb("@mysearch/jsonrpc") as stub:
        assert stub.echo({"a": [None]}).dispatch(timeout=10).data == {"a": [None]}
    assert was.jsonrpc.map("@mysearch/jsonrpc").add(1, 2).fetch(10) == [3, 3]


def test_jsonrpc_errors(world: World) -> None:
    result = was.jsonrpc("@myrpc/jsonrpc").fail().dispatch(10)
    assert (result.status, result.status_code) == (was.STA_REQFAIL, 500)
    assert isinstance(result.error, RpcFault) and result.error.code == -32000


def test_jsonrpc_batch(world: World) -> None:
    with was.jsonrpc.batch("@myrpc/jsonrpc") as calls:
        calls.add(1, 2)
        calls.fail()
        calls.echo(a=1)
        values = calls().fetch(10)
    assert values[0] == 3 and isinstance(values[1], RpcFault) and isinstance(values[2], RpcFault)


def test_jsonrpc_notification(world: World) -> None:
    result = was.jsonrpc.notify("@myrpc/jsonrpc").echo("x").dispatch(10)
    assert (result.status_code, result.data) == (204, None)
    assert "id" not in json.loads(world.last.body)
