"""What came of a task: whether it could be done, what was answered, and what is in the answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, SupportsIndex, overload

from skitaid.exceptions import SkitaidError
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was.errors import HTTPError, TaskTimeoutError
from skitaid.was.messages.charsets import to_text

__all__ = [
    "CACHED", "STA_NETERR", "STA_NORMAL", "STA_REQFAIL", "STA_TIMEOUT", "STA_UNSENT", "Memo", "Opened", "Result",
    "Results",
]  # fmt: skip

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


class Opened(Protocol):
    """What is in an answer (messages.reply.Decoded). `error`: why it is none; the rest says so in the words of HTTP."""

    @property
    def status_code(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    @property
    def data(self) -> Any: ...
    @property
    def error(self) -> SkitaidError | None: ...


class Result:
    """What came of one task. `status` is one of STA_*; `status_code`, `reason` and `headers` are those of the answer,
    or say what went wrong in the words of HTTP (`error` is the exception then). `content` are its bytes, `data` what
    they mean: decoded by its content type, None when there is nothing.

    `about` is what it is the result of, for those who read of a failure.

    `opener` opens the answer; it is called once, by the first that looks inside (`settle`). What can't be decoded makes
    a failed result of a good one. `size` is about what it takes to keep it, in bytes.
    """

    __slots__ = (
        "_content", "_data", "_first", "_headers", "_is_settled", "_opener", "about", "error", "memo", "reason",
        "size", "status", "status_code",
    )  # fmt: skip

    def __init__(
        self,
        status_code: int = 200,
        reason: str = "OK",
        *,
        data: Any = None,
        opener: Callable[[], Opened] | None = None,
        size: int = 500,
    ) -> None:
        self.status = STA_NORMAL
        self.status_code = status_code
        self.reason = reason
        self.error: BaseException | None = None
        self.memo: Memo | None = None
        self._headers: Mapping[str, str] = {}
        self._content = b""
        self._data = data
        self._opener = opener
        self._is_settled = opener is None
        self._first = (status_code, reason)
        self.size = size
        self.about = ""

    @classmethod
    def of_data(cls, data: Any) -> Result:
        """Of something that was done in this machine."""
        return cls(data=data)

    @classmethod
    def of_error(cls, error: BaseException) -> Result:
        """Of something that failed, or never got an answer."""
        status, code, reason = _verdict(error)
        result = cls(code, reason)
        result.status, result.error = status, error
        return result

    @classmethod
    def of_timeout(cls, about: str, seconds: float) -> Result:
        """Of something that was waited for too long."""
        return cls.of_error(TaskTimeoutError(about, seconds))

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
    def headers(self) -> Mapping[str, str]:
        """The fields of the answer, whatever the case of their names."""
        self.settle()
        return self._headers

    @property
    def data(self) -> Any:
        """What the answer means."""
        self.settle()
        return self._data

    @property
    def content(self) -> bytes:
        """The bytes of the answer, unpacked."""
        self.settle()
        return self._content

    @property
    def text(self) -> str:
        """`content` as text, by the charset it comes with; what does not fit is replaced."""
        return to_text(self.content, self.headers.get("content-type") or "")

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A field of the answer."""
        return self.headers.get(name, default)

    def settle(self) -> None:
        """Open the answer now, in a thread that may take its time."""
        if self._is_settled:
            return
        assert self._opener is not None
        opened = self._opener()
        self.status_code, self.reason = opened.status_code, opened.reason
        self._headers, self._content, self._data = opened.headers, opened.content, opened.data
        if opened.error is not None:
            self.status, self.error = STA_REQFAIL, opened.error
        # Last: another thread may look meanwhile.
        self._is_settled = True

    # ------------------------------------------------------------ what to do with it

    def reraise(self, status: str | None = None) -> None:
        """Raise what went wrong, if anything did: the function's own exception, or HTTPError with `status` or with what
        the client should be answered."""
        if self.is_good:
            return
        if status is None and self.status == STA_REQFAIL and not isinstance(self.error, (SkitaidError, type(None))):
            raise self.error
        raise HTTPError(status or self._answer(), detail=self._explain(), result=self) from self.error

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
            if self.may_be_cached(cache_if):
                self.memo.keep(self, seconds)

    def may_be_cached(self, codes: Iterable[int]) -> bool:
        """Whether it is normal and has one of the codes."""
        return self.status == STA_NORMAL and self.status_code in codes

    def copy(self) -> Result:
        """Another that says the same; what one owner does to its data, the other does not see."""
        if self._opener is not None:
            twin = Result(*self._first, opener=self._opener, size=self.size)
            twin.about = self.about
            return twin
        twin = copy.copy(self)
        twin._data = copy.deepcopy(self._data)
        return twin

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}: {self.status_code} {self.reason}>"

    # ------------------------------------------------------------ inside

    def _answer(self) -> str:
        """The status that the client is answered with when this result is its undoing."""
        code = self.status_code
        is_ours = self.status != STA_NORMAL and code not in _HOP
        if is_ours or code in _PASSED or (400 <= code < 500 and code not in _HOP):
            return f"{code} {self.reason}" if self.reason.isprintable() and self.reason.isascii() else str(code)
        return "502 Bad Gateway"

    def _explain(self) -> str:
        if self.error is None:
            return f"{self.about or 'another server'} was answered {self.status_code} {self.reason}".rstrip()
        text = str(self.error)
        return text if not self.about or text.startswith(self.about) else f"{self.about}: {text}"


class Results(list[Any]):
    """The results of several tasks, in their order: a Result each, or Results for a task that is made of several. What
    Result has one of, this has a list of."""

    @property
    def status(self) -> list[Any]:
        return [each.status for each in self]

    @property
    def status_code(self) -> list[Any]:
        return [each.status_code for each in self]

    @property
    def code(self) -> list[Any]:
        return self.status_code

    @property
    def reason(self) -> list[Any]:
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
        if self.may_be_cached(codes):
            for each in self:
                each.cache(seconds, codes)

    def may_be_cached(self, codes: Iterable[int]) -> bool:
        """Whether each is normal and has one of the codes."""
        return all(each.may_be_cached(codes) for each in self)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        found = super().__getitem__(index)
        return Results(found) if isinstance(found, list) else found


_TIMEOUTS: Final = (Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT, Failure.TOTAL_TIMEOUT)
_REASONS: Final = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 500: "Internal Server Error"}


def _verdict(error: BaseException) -> tuple[int, int, str]:
    """status, status_code and reason for what went wrong."""
    if isinstance(error, UpstreamError):
        code = max(error.status, 500)
        status = STA_TIMEOUT if error.failure in _TIMEOUTS else STA_NETERR
    elif isinstance(error, TaskTimeoutError):
        status, code = STA_TIMEOUT, 504
    else:
        status, code = STA_REQFAIL, getattr(error, "status", 500)
    if not isinstance(code, int):
        code = getattr(error, "status_code", 500)
    return status, code, _REASONS.get(code, type(error).__name__)
