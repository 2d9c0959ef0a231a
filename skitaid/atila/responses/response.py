"""`was.response`: status and fields of the response to be; called, it makes a whole one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from weakref import proxy

from skitaid.atila.contracts import Was
from skitaid.atila.responses.reply import Fields, Reply, check_field, status_line
from skitaid.was.errors import HTTPError

__all__ = ["Response"]


class Response:
    """What is set here goes along with whatever the function returns. `error`: that of send_error."""

    def __init__(self, was: Was) -> None:
        # Weakly: was has this, and both are to be gone with the request, without the garbage collector.
        self._was: Was = proxy(was)
        self.status = "200 OK"
        self.headers: Fields = []
        self.error: Reply | None = None

    def __call__(
        self,
        status: str | int | None = None,
        body: Any = None,
        headers: Iterable[tuple[str, str]] | Mapping[str, str] | None = None,
        exc_info: Any = None,
    ) -> Reply:
        """A response, to be returned. Without a body it is the page of its status; `exc_info` is shown there, debug or
        not. Raises ValueError for a status that is none."""
        given = headers.items() if isinstance(headers, Mapping) else headers
        line = self.status if status is None else str(status)
        return Reply(line, body, None if given is None else list(given), exc_info=exc_info)

    def with_explain(self, status: str | int = "200 OK", explain: str = "", headers: Any = None) -> Reply:
        """The page of a status, with more about it: `error["detail"]` in an error handler."""
        return Reply(str(status), None, headers, explain=explain)

    def throw(self, status: str | int = "200 OK", why: str = "") -> NoReturn:
        """End the request here, with the page of that status: raises HTTPError."""
        raise HTTPError(status, why)

    def send_error(self, status: str | int, why: str = "", exc_info: Any = None) -> Reply:
        """The page of a status: return it, or "" afterwards."""
        self.error = Reply(str(status), None, explain=why, exc_info=exc_info)
        return self.error

    def fault(self, *args: Any, **named: Any) -> Any:
        """What was.Fault makes."""
        return self._was.Fault(*args, **named)

    for_api = fault

    def traceback(self, msg: str = "", code: int = 10001, debug: Any = "see traceback", more_info: Any = None) -> Any:
        """A JSON object that tells of the exception that is being handled."""
        return self._was.Fault(msg, code, debug, more_info, traceback=True)

    def hint_promise(self, uri: str) -> None:
        """As `was.push`."""
        self._was.push(uri)

    # ------------------------------------------------------------ status and fields

    def set_status(self, status: str | int) -> None:
        """`"404 Not Found"` or 404. Raises ValueError."""
        self.status = status_line(status)

    def get_status(self) -> str:
        """The line, `200 OK` if nothing else was set."""
        return self.status

    def add_header(self, name: str, value: Any) -> None:
        """One field more, whatever there is of that name. Raises ValueError for a line break in it."""
        self.headers.append(check_field(name, value))

    def set_header(self, name: str, value: Any) -> None:
        """A field in place of all of that name."""
        self.del_header(name)
        self.add_header(name, value)

    def set_headers(self, headers: Iterable[tuple[str, Any]] | Mapping[str, Any]) -> None:
        """Several of them."""
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            self.set_header(name, value)

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A field that was set."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), default)

    def get_headers(self) -> Fields:
        """All that were set."""
        return self.headers

    def del_header(self, name: str) -> None:
        """Take a field back."""
        lower = name.lower()
        self.headers = [pair for pair in self.headers if pair[0].lower() != lower]

    update = set_headers

    def __setitem__(self, name: str, value: Any) -> None:
        self.set_header(name, value)

    def __getitem__(self, name: str) -> str | None:
        return self.get_header(name)

    def __delitem__(self, name: str) -> None:
        self.del_header(name)

    def __contains__(self, name: str) -> bool:
        return self.get_header(name) is not None
