"""What `was.get`, `was.xmlrpc`, `was.grpc` and their like have in common: the words that a call is made of, `.lb` and
`.map`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from skitaid.was.calls.making import Words
from skitaid.was.messages.authorization import Given
from skitaid.was.messages.fields import GivenHeaders

__all__ = ["Callback", "Calling", "Family"]

Callback = Callable[[Any], Any]
Made = TypeVar("Made")
ToOne = TypeVar("ToOne")
ToEach = TypeVar("ToEach")


class Calling(Generic[Made]):
    """Is called with what an app says of a call, and gives its task, or a stub."""

    def __call__(  # noqa: PLR0913, PLR0917  # the signature that the documents give
        self,
        url: str,
        data: object = None,
        auth: Given = None,
        headers: GivenHeaders = None,
        use_cache: bool | float | None = None,
        timeout: float | None = None,
        callback: Callback | None = None,
    ) -> Made:
        """Begin a call.

        `url`: http://…, https://…, or @alias/path. `data`: what is sent, as the content type has it; of get and delete
        the query; it has no meaning for remote procedures, whose methods have arguments. `auth`: (user, password), or a
        token. `headers`: a dictionary or pairs; for gRPC its metadata. `use_cache`: False asks again, a time
        (was.getlu) if the kept result is older. `timeout`: seconds for all of it. `callback(result)`: called when it is
        done. Raises CallError.
        """
        return self._begin(Words(url, data, auth, headers, use_cache, timeout), callback)

    def _begin(self, words: Words, callback: Callback | None) -> Made:
        raise NotImplementedError


class Family(Calling[ToOne], Generic[ToOne, ToEach]):
    """A call goes to a server, or to one of an alias' members."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    @property
    def lb(self) -> Calling[ToOne]:
        """The same, by the name that the documents have beside `map`."""
        return self

    @property
    def map(self) -> Calling[ToEach]:
        """A call goes to each member of an alias; the results are in their order."""
        return _Map(self)

    def _begin_each(self, words: Words, callback: Callback | None) -> ToEach:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<was.{self.__name__}>"


class _Map(Calling[ToEach]):
    def __init__(self, family: Family[Any, ToEach]) -> None:
        self._family = family

    def _begin(self, words: Words, callback: Callback | None) -> ToEach:
        return self._family._begin_each(words, callback)

    def __repr__(self) -> str:
        return f"<was.{self._family.__name__}.map>"
