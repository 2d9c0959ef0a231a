"""`was.get`, `was.post` and their family: each a function that begins a call and gives its task, with `.lb` (to one of
an alias' members, which is what the plain form does too) and `.map` (to each of them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from skitaid.was.calls.asking import Ask, order_of
from skitaid.was.calls.defaults import default_type
from skitaid.was.calls.family import Callback, Family
from skitaid.was.calls.launch import launch, launch_map
from skitaid.was.calls.making import Words, make_ask
from skitaid.was.calls.order import Order
from skitaid.was.messages.authorization import Given
from skitaid.was.messages.content_types import FORM, JSON, NVP, XML, RequestType
from skitaid.was.messages.fields import GivenHeaders
from skitaid.was.tasks.group import Tasks
from skitaid.was.tasks.task import Task

__all__ = [
    "Method", "delete", "deletejson", "get", "getjson", "getxml", "head", "options", "order", "patch", "post",
    "postform", "postjson", "postnvp", "postxml", "put", "putform", "putjson", "putnvp", "putxml", "upload",
]  # fmt: skip

T = TypeVar("T")


class Method(Family[Task, Tasks]):
    """A function such as `was.get`: calling it begins a call. `content`: of the data, when the name says so; `accept`:
    what is to come back. None: the app's default."""

    def __init__(
        self, name: str, method: str, *, content: str | None = None, accept: str | None = None, is_upload: bool = False
    ) -> None:
        super().__init__(name)
        self._method = method
        self._content = content
        self._accept = accept
        self._is_upload = is_upload

    def _begin(self, words: Words, callback: Callback | None) -> Task:
        return _begun(launch, self._ask(words), callback)

    def _begin_each(self, words: Words, callback: Callback | None) -> Tasks:
        return _begun(launch_map, self._ask(words), callback)

    def _ask(self, words: Words) -> Ask:
        content, accept = self._content, self._accept
        if content is None or accept is None:
            kind = default_type()
            content, accept = content or kind.content, accept or kind.accept
        return make_ask(self._method, words, RequestType(content, accept), is_upload=self._is_upload)


def _begun(launcher: Callable[[Order, Callback | None], T], ask: Ask, callback: Callback | None) -> T:
    made = order_of(ask)
    try:
        return launcher(made, callback)
    finally:
        if made.streamed is not None:
            # Whoever carries it out has it for its own now.
            made.streamed.release()


def order(  # noqa: PLR0913  # as the methods
    method: str,
    url: str,
    data: object = None,
    *,
    auth: Given = None,
    headers: GivenHeaders = None,
    use_cache: bool | float | None = None,
    timeout: float | None = None,
    follows: bool = True,
) -> Order:
    """The order of such a call; `follows` False: redirects are answers like others. Raises CallError."""
    ask = make_ask(method, Words(url, data, auth, headers, use_cache, timeout), default_type())
    return order_of(replace(ask, terms=replace(ask.terms, follows=follows)))


get: Final = Method("get", "GET")
post: Final = Method("post", "POST")
put: Final = Method("put", "PUT")
patch: Final = Method("patch", "PATCH")
delete: Final = Method("delete", "DELETE")
options: Final = Method("options", "OPTIONS")
head: Final = Method("head", "HEAD")
upload: Final = Method("upload", "POST", is_upload=True)

# The older names, which say the content type.
getjson: Final = Method("getjson", "GET", accept=JSON.accept)
getxml: Final = Method("getxml", "GET", accept=XML.accept)
deletejson: Final = Method("deletejson", "DELETE", accept=JSON.accept)
postjson: Final = Method("postjson", "POST", content=JSON.content, accept=JSON.accept)
putjson: Final = Method("putjson", "PUT", content=JSON.content, accept=JSON.accept)
postform: Final = Method("postform", "POST", content=FORM.content)
putform: Final = Method("putform", "PUT", content=FORM.content)
postxml: Final = Method("postxml", "POST", content=XML.content, accept=XML.accept)
putxml: Final = Method("putxml", "PUT", content=XML.content, accept=XML.accept)
postnvp: Final = Method("postnvp", "POST", content=NVP.content)
putnvp: Final = Method("putnvp", "PUT", content=NVP.content)
