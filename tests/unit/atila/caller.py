"""Calls of an app without a server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator

__all__ = ["Answer", "Caller"]


class Answer:
    """What an app answered."""

    def __init__(self, status: str, fields: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.code = int(status[:3])
        self.fields = fields
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    def __getitem__(self, name: str) -> str | None:
        """A field."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Caller:
    """A client of one app. `mount`: where it is mounted."""

    def __init__(self, app: Callable[..., Any], mount: str = "") -> None:
        self._app = validator(app)  # type: ignore[arg-type]
        self._mount = mount

    def __call__(self, method: str, target: str, body: bytes = b"", /, **environ: str) -> Answer:
        path, _, query = target.partition("?")
        raw = unquote_to_bytes(path).decode("latin-1")
        assert raw.startswith(self._mount)
        env = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": self._mount, "PATH_INFO": raw[len(self._mount):],
            "QUERY_STRING": query, "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "wsgi.multithread": False,
            "wsgi.multiprocess": False, "wsgi.run_once": False, "CONTENT_LENGTH": str(len(body)), **environ,
        }  # fmt: skip
        started: list[Any] = []

        def start_response(status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [status, fields]
            return lambda data: None

        sent = self._app(env, start_response)
        try:
            content = b"".join(sent)
        finally:
            sent.close()  # type: ignore[attr-defined]
        return Answer(started[0], started[1], content)

    def get(self, target: str, **environ: str) -> Answer:
        return self("GET", target, b"", **environ)

    def post(self, target: str, body: bytes | str = b"", kind: str = "", **environ: str) -> Answer:
        raw = body.encode() if isinstance(body, str) else body
        return self("POST", target, raw, CONTENT_TYPE=kind or "application/x-www-form-urlencoded", **environ)

    def json(self, target: str, thing: Any, method: str = "POST", **environ: str) -> Answer:
        return self(method, target, json.dumps(thing).encode(), CONTENT_TYPE="application/json", **environ)
