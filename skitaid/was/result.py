"""What came of a task: whether it could be done, what was answered, and what is in the answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from typing import Any, Final, Protocol, SupportsIndex, overload

from skitaid.exceptions import SkitaidError
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was.errors import HTTPError

__all__ = ["STA_NETERR", "STA_NORMAL", "STA_REQFAIL", "STA_TIMEOUT", "STA_UNSENT", "Memo", "Result", "Results"]

STA_UNSENT: Final = 0
"""Nothing is known yet."""
STA_TIMEOUT: Final = 1
STA_REQFAIL: Final = 2
"""It was done, and failed: a function raised, an answer can't be read."""
STA_NORMAL: Final = 3
"""There is an answer. Whether it is a good one, `status_code` tells."""
STA_NETERR: Final = 4

OK_BELOW: Final = 300
CACHED: Final = (200,)
_HOP: Final = frozenset({401, 407, 408, 421})
"""Answers that concern the call alone, not the client for whose sake it was made."""
_PASSED: Final = frozenset({503, 504})


class Memo(Protocol):
    """Where a result may be kept for those who ask the same again."""

    def keep(self, result: Result, seconds: float) -> None: ...


class Result:
    """`status` is one of STA_*; `status_code`, `reason` and `headers` are those of the answer, or say what went wrong
    in the words of HTTP (`error` is the exception then). `content` are its bytes, `data` what they mean.

    `content` and `decode` may be functions, called once when they are needed; an error of skitaid's that they raise
    makes the result a failed one, with the status of that error.
    """

    __slots__ = (
        "_content", "_data", "_decode", "_is_settled", "error", "headers", "memo", "reason", "status", "status_code",
    )  # fmt: skip

    def __init__(
        self,
        status_code: int = 200,
        reason: str = "OK",
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Callable[[], bytes] = b"",
        decode: Callable[[], Any] | None = None,
    ) -> None:
        self.status = STA_NORMAL
        self.status_code = status_code
        self.reason = reason
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.error: BaseException | None = None
        self.memo: Memo | None = None
        self._content = content
        self._decode = decode
        self._data: Any = None
        self._is_settled = decode is None

    @classmethod
    def of_data(cls, data: Any) -> Result:
        """Of something that was done in this machine."""
        result = cls()
        result._data = data
        return result

    @classmethod
    def of_error(cls, error: BaseException) -> Result:
        """Of something that failed, or never got an answer."""
        status, code, reason = _verdict(error)
        result = cls(code, reason)
        result.status, result.error = status, error
        return result

    @classmethod
    def of_timeout(cls) -> Result:
        """Of something that was waited for too long."""
        return cls.of_error(UpstreamError(Failure.TOTAL_TIMEOUT))

    # ------------------------------------------------------------ what is in it

    @property
    def code(self) -> int:
        """The older name of `status_code`."""
        return self.status_code

    @property
    def is_good(self) -> bool:
        """Whether there is an answer, and it is no refusal."""
        self.settle()
        return self.status == STA_NORMAL and self.status_code < OK_BELOW

    @property
    def data(self) -> Any:
        """What the answer means: decoded by its content type; None when there is none."""
        self.settle()
        return self._data

    @property
    def content(self) -> bytes:
        """The bytes of the answer, unpacked."""
        if callable(self._content):
            try:
                self._content = self._content()
            except SkitaidError as error:
                self._content = b""
                self._fail(error)
        return self._content

    @property
    def text(self) -> str:
        """`content` as text, by the charset it comes with; what does not fit is replaced."""
        content = self.content
        try:
            return content.decode(self._charset(), "replace")
        except LookupError:
            return content.decode("utf-8", "replace")

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A field of the answer."""
        return self.headers.get(name, default)

    def settle(self) -> None:
        """Decode now. What can't be decoded makes a failed result."""
        if not self._is_settled:
            self._is_settled = True
            assert self._decode is not None
            try:
                self._data = self._decode()
            except SkitaidError as error:
                self._fail(error)

    # ------------------------------------------------------------ what to do with it

    def reraise(self, status: str | None = None) -> None:
        """Raise what went wrong, if anything did: the function's own exception, or HTTPError with `status` or with what
        the client should be answered."""
        if self.is_good:
            return
        if status is None and self.status == STA_REQFAIL and not isinstance(self.error, (SkitaidError, type(None))):
            raise self.error
        raise HTTPError(status or self._answer(), self._explain(), result=self) from self.error

    def fetch(self, status: str | None = None) -> Any:
        """`data`. Raises as `reraise` does."""
        self.reraise(status)
        return self._data

    def one(self, status: str | None = None) -> Any:
        """The only item of `data`. Raises as `reraise` does, and HTTPError 410 when there is not exactly one."""
        data = self.fetch(status)
        if data is None or (isinstance(data, (list, tuple)) and len(data) != 1):
            found = len(data) if data is not None else "nothing"
            raise HTTPError(status or "410 Gone", f"expected one result, found {found}", result=self)
        return data[0] if isinstance(data, (list, tuple)) else data

    def commit(self, status: str | None = None) -> None:
        """Nothing, or what `reraise` raises."""
        self.reraise(status)

    def cache(self, seconds: float = 60, cache_if: Iterable[int] = CACHED) -> None:
        """Keep it for `seconds`, for those who ask the same; if it is normal and its code is in `cache_if`."""
        if self.memo is not None and seconds > 0:
            self.settle()
            if self.status == STA_NORMAL and self.status_code in cache_if:
                self.memo.keep(self, seconds)

    def copy(self) -> Result:
        """Another that says the same; what one owner does to its data, the other does not see."""
        twin = copy.copy(self)
        if self._decode is not None:
            twin._data, twin._is_settled = None, self.status != STA_NORMAL
        else:
            twin._data = copy.deepcopy(self._data)
        return twin

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}: {self.status_code} {self.reason}>"

    # ------------------------------------------------------------ inside

    def _fail(self, error: SkitaidError) -> None:
        self.error = error
        self.status, self.status_code, self.reason = _verdict(error)

    def _charset(self) -> str:
        message = Message()
        message["content-type"] = self.headers.get("content-type") or ""
        return message.get_content_charset("utf-8")

    def _answer(self) -> str:
        """The status that the client is answered with when this result is its undoing."""
        code = self.status_code
        if self.status != STA_NORMAL or code in _PASSED or (400 <= code < 500 and code not in _HOP):
            return f"{code} {self.reason}" if self.reason.isprintable() and self.reason.isascii() else str(code)
        return "502 Bad Gateway"

    def _explain(self) -> str:
        if self.error is not None:
            return str(self.error)
        return f"another server answered {self.status_code} {self.reason}".rstrip()


class Results(list[Result]):
    """The results of several tasks, in their order. What Result has one of, this has a list of."""

    @property
    def status(self) -> list[int]:
        return [each.status for each in self]

    @property
    def status_code(self) -> list[int]:
        return [each.status_code for each in self]

    @property
    def code(self) -> list[int]:
        return self.status_code

    @property
    def reason(self) -> list[str]:
        return [each.reason for each in self]

    @property
    def data(self) -> list[Any]:
        return [each.data for each in self]

    @property
    def is_good(self) -> bool:
        return all(each.is_good for each in self)

    def settle(self) -> None:
        """Decode all of them now."""
        for each in self:
            each.settle()

    def reraise(self, status: str | None = None) -> None:
        """Raise the first error, if there is one."""
        for each in self:
            each.reraise(status)

    def fetch(self, status: str | None = None) -> list[Any]:
        """The data of each. Raises the first error."""
        return [each.fetch(status) for each in self]

    def one(self, status: str | None = None) -> list[Any]:
        """The only item of each. Raises the first error."""
        return [each.one(status) for each in self]

    def commit(self, status: str | None = None) -> None:
        """Nothing, or the first error."""
        self.reraise(status)

    def cache(self, seconds: float = 60, cache_if: Iterable[int] = CACHED) -> None:
        """Keep them, if each may be kept."""
        codes = tuple(cache_if)
        self.settle()
        if all(each.status == STA_NORMAL and each.status_code in codes for each in self):
            for each in self:
                each.cache(seconds, codes)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Result | Results:
        found = super().__getitem__(index)
        return Results(found) if isinstance(found, list) else found


_TIMEOUTS: Final = (Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT, Failure.TOTAL_TIMEOUT)
_REASONS: Final = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 500: "Internal Server Error"}


def _verdict(error: BaseException) -> tuple[int, int, str]:
    """status, status_code and reason for what went wrong."""
    if isinstance(error, UpstreamError):
        code = max(error.status, 500)
        status = STA_TIMEOUT if error.failure in _TIMEOUTS else STA_NETERR
    elif isinstance(error, TimeoutError):
        status, code = STA_TIMEOUT, 504
    else:
        status, code = STA_REQFAIL, getattr(error, "status", 500)
    if not isinstance(code, int):
        code = getattr(error, "status_code", 500)
    return status, code, _REASONS.get(code, type(error).__name__)
