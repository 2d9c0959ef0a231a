"""`was.request`: a request, read from its WSGI environ as far as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote
from weakref import proxy

from skitaid.atila.attributes import REQUEST_OBJECTS, load
from skitaid.atila.contracts import Was
from skitaid.atila.requests.binding import defaults_of
from skitaid.atila.requests.reading import has_body, read_body, read_json
from skitaid.atila.values import Values, read_urlencoded
from skitaid.was.errors import HTTPError

__all__ = ["Headers", "Request", "address_is_private"]

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_NO_PREFIX: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_PATH: Final = "/:@!$&'()*+,;=~-._"
_LAZY: Final = ("body", "URL", "FORM", "JSON", "DATA", "ARGS", "headers")


class Headers(Mapping[str, str]):
    """The fields of a request, whatever the case of their names."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_key(name)]
        return value

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()
        for name, key in _NO_PREFIX.items():
            if self._environ.get(key):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Request:
    """One request. What is read from its body raises HTTPError 400 or 413 where it is asked for."""

    def __init__(self, was: Was) -> None:
        # Weakly: was has this, and both are to be gone with the request, without the garbage collector.
        self._was: Was = proxy(was)
        self.env = was.env
        self.route = was.route
        self.PARAMS: dict[str, Any] = was.values or {}

    def __getattr__(self, name: str) -> Any:
        """What is made when it is first asked for, and kept. Raises AttributeError."""
        if name in _LAZY:
            made = getattr(self, f"_make_{name.lower()}")()
        elif name in REQUEST_OBJECTS:
            made = load(REQUEST_OBJECTS[name])(self._was)
        else:
            raise AttributeError(f"was.request has no {name!r}")
        setattr(self, name, made)
        return made

    # ------------------------------------------------------------ line and fields

    @property
    def method(self) -> str:
        """In upper case."""
        method: str = self.env["REQUEST_METHOD"]
        return method

    @property
    def command(self) -> str:
        """The method in lower case."""
        return self.method.lower()

    @property
    def uri(self) -> str:
        """Path and query as they were sent."""
        target: str | None = self.env.get("REQUEST_URI")
        if target is not None:
            return target
        path = quote((self.env.get("SCRIPT_NAME", "") + self.env.get("PATH_INFO", "")).encode("latin-1"), safe=_PATH)
        query = self.env.get("QUERY_STRING")
        return f"{path}?{query}" if query else path

    @property
    def version(self) -> str:
        """`1.1`."""
        return str(self.env.get("SERVER_PROTOCOL", "HTTP/1.1")).rpartition("/")[2]

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        scheme: str = self.env["wsgi.url_scheme"]
        return scheme

    def split_uri(self) -> tuple[str, str, str, str]:
        """Path, parameters (what stands after a semicolon), query and fragment."""
        target, _, fragment = self.uri.partition("#")
        path, _, query = target.partition("?")
        script, _, parameters = path.partition(";")
        return script, parameters, query, fragment

    def get_header(self, name: str | None = None, default: Any = None) -> Any:
        """A field, whatever the case of its name; without a name all of them, as get_headers."""
        return self.get_headers() if name is None else self.env.get(_key(name), default)

    def get_headers(self) -> list[tuple[str, str]]:
        """All fields."""
        return list(self.headers.items())

    def get_scheme(self) -> str:
        """`http` or `https`."""
        return self.scheme

    def get_remote_addr(self) -> str:
        """The client's address. What proxies say of it is believed from those that the conf trusts."""
        return str(self.env.get("REMOTE_ADDR", ""))

    get_real_ip = get_remote_addr

    def is_private_ip(self) -> bool:
        """Whether the client's address is one of a private network, or this machine's."""
        return address_is_private(self.get_remote_addr())

    def get_user_agent(self) -> str | None:
        """The field User-Agent."""
        return self.env.get("HTTP_USER_AGENT")

    def get_content_type(self) -> str | None:
        """The field Content-Type, with its parameters."""
        return self.env.get("CONTENT_TYPE") or None

    @property
    def content_type(self) -> str:
        """`application/json`: in lower case, without parameters; "" where there is none."""
        return str(self.env.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()

    def get_main_type(self) -> str | None:
        """`text` of text/html."""
        return self.content_type.partition("/")[0] or None

    def get_sub_type(self) -> str | None:
        """`html` of text/html."""
        return self.content_type.partition("/")[2] or None

    # ------------------------------------------------------------ route

    @property
    def routed_function(self) -> Any:
        """The function that answers."""
        return None if self.route is None else self.route.function

    @property
    def routable(self) -> Any:
        """What the route was given: `{"methods": [...], "content_types": [...]}` and so on."""
        return None if self.route is None else self.route.routable

    # ------------------------------------------------------------ values

    @property
    def has_body(self) -> bool:
        """Whether a body came along."""
        return has_body(self.env)

    @property
    def args(self) -> Any:
        """All values: of the body, else of the query, else defaults; those of the path before all others."""
        return self.ARGS

    @property
    def data(self) -> Any:
        """The older name of DATA."""
        return self.DATA

    @property
    def DEFAULT(self) -> dict[str, Any]:
        """The defaults of the function that answers."""
        return {} if self.route is None else defaults_of(self.route.function)

    def get_body(self) -> bytes:
        """The body."""
        body: bytes = self.body
        return body

    def json(self) -> Any:
        """The body, read as JSON whatever its type says."""
        return read_json(self.body)

    def form(self) -> Values:
        """The fields of a form; empty if the body is none."""
        made: Values = self.FORM
        return made

    def dict(self) -> Any:
        """The body if it has names: a form or JSON; empty if it is neither."""
        return self.DATA

    def _make_headers(self) -> Headers:
        return Headers(self.env)

    def _make_body(self) -> bytes:
        return read_body(self.env, self._was.app.config.max_post_body_size)

    def _make_url(self) -> Values:
        return read_urlencoded(self.env.get("QUERY_STRING", ""))

    def _make_form(self) -> Values:
        kind = self.content_type
        if kind == _FORM:
            try:
                return read_urlencoded(self.body.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise HTTPError("400 Bad Request", "the form is not UTF-8") from error
        if kind == _MULTIPART:
            return Values(self.multipart)
        return Values()

    def _make_json(self) -> Any:
        kind = self.content_type
        if not self.has_body or not (kind.endswith(("/json", "+json"))):
            return Values()
        made = read_json(self.body)
        return Values(made) if isinstance(made, dict_type) else made

    def _make_data(self) -> Any:
        kind = self.content_type
        return self.JSON if kind.endswith(("/json", "+json")) else self.FORM

    def _make_args(self) -> Values:
        merged = Values(self.DEFAULT)
        merged.update(self.URL)
        if self.has_body and isinstance(self.DATA, dict_type):
            merged.update(self.DATA)
        merged.update(self.PARAMS)
        return merged


dict_type: Final = dict


def address_is_private(address: str) -> bool:
    """Whether it is one of a private network or of this machine; False for what is not an address."""
    from ipaddress import ip_address

    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _key(name: str) -> str:
    lower = name.lower()
    return _NO_PREFIX.get(lower) or "HTTP_" + lower.replace("-", "_").upper()
