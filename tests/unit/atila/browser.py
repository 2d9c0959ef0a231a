"""Calls an app as a strict WSGI server would, and keeps cookies as a browser does."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, unquote, urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

__all__ = ["Browser", "Reply"]


@dataclass(frozen=True)
class Reply:
    status: int
    line: str
    fields: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


@dataclass
class Browser:
    app: Callable[..., Any]
    mount: str = ""
    scheme: str = "http"
    address: str = "192.0.2.7"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, target: str = "/", **fields: str) -> Reply:
        return self.request("GET", target, fields=fields)

    def post(self, target: str, form: Mapping[str, Any] | None = None, **fields: str) -> Reply:
        body = urlencode(form or {}, doseq=True).encode()
        return self.request("POST", target, body, "application/x-www-form-urlencoded", fields=fields)

    def post_json(self, target: str, value: object, **fields: str) -> Reply:
        return self.request("POST", target, json.dumps(value).encode(), "application/json", fields=fields)

    def upload(self, target: str, parts: list[tuple[str, str | None, bytes]], **fields: str) -> Reply:
        """Parts: name, file name or None, content."""
        return self.request("POST", target, multipart(parts), "multipart/form-data; boundary=BOUND", fields=fields)

    def request(
        self, method: str, target: str, body: bytes = b"", kind: str = "", *, fields: Mapping[str, str] | None = None
    ) -> Reply:
        """`fields`: `authorization="…"`, of the request's head."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self.mount,
            "PATH_INFO": unquote(path).encode().decode("latin-1"),
            "QUERY_STRING": query,
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": self.address,
        }
        if kind:
            environ |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        environ |= {f"HTTP_{name.upper()}": value for name, value in (fields or {}).items()}
        setup_testing_defaults(environ)
        reply = _call(self.app, environ)
        self._keep(reply)
        return reply

    def _keep(self, reply: Reply) -> None:
        for line in reply.all("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = quote(morsel.value, safe="!#$&'()*+-./:<=>?@[]^_`{|}~%")


def _call(app: Callable[..., Any], environ: dict[str, Any]) -> Reply:
    heads: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
        heads.append((status, headers))
        return lambda data: None

    result = validator(app)(environ, start_response)  # type: ignore[arg-type]
    try:
        sent = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined]
    status, headers = heads[-1]
    return Reply(int(status[:3]), status, headers, sent)


def multipart(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    made = b""
    for name, filename, content in parts:
        given = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: text/plain'
        made += f'--BOUND\r\nContent-Disposition: form-data; name="{name}"{given}\r\n\r\n'.encode() + content + b"\r\n"
    return made + b"--BOUND--\r\n"
