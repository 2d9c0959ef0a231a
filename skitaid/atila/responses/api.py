"""JSON for programs: `was.API`, `was.Fault`, and what fails as they see it."""

from __future__ import annotations

import os
import re
import sys
import traceback as stdlib_traceback
from collections.abc import Mapping
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.atila.responses.bodies import JSON, Body, to_json
from skitaid.atila.responses.reply import Reply

__all__ = ["API", "FAULT_CODE", "frames_of", "make_api", "make_fault", "make_jstream"]

FAULT_CODE: Final = 20000
_OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""That of Atila."""
_STATUS: Final = re.compile(r"[1-5][0-9]{2}(?: |$)").match


class API(dict[str, Any]):
    """A JSON object, to be returned."""

    def to_body(self) -> Body:
        """As it is sent."""
        return Body(to_json(self), JSON)


def make_api(was: Was, *args: Any, **named: Any) -> Any:
    """`was.API(rows=rows)`, `was.API({...})`, `was.API("201 Created", id=1)`."""
    status = None
    if args and isinstance(args[0], str) and _STATUS(args[0]):
        status, args = args[0], args[1:]
    content: Any = API(**named)
    if args and args[0] is not None:
        content = API(args[0], **named) if isinstance(args[0], Mapping) else Document(args[0])
    return content if status is None else Reply(status, content)


class Document:
    """JSON that is not an object."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def to_body(self) -> Body:
        """As it is sent."""
        return Body(to_json(self.content), JSON)


def make_fault(was: Was, *args: Any, **named: Any) -> Any:
    """`was.Fault("400 Bad Request", "missing parameter", 10021)`, a response; `was.Fault("missing parameter", 10021)`,
    its content. With a status of success what else is given is the content, as with was.API."""
    if not args or not isinstance(args[0], str) or not _STATUS(args[0]):
        return _fault(*args, **named)
    status, rest = args[0], args[1:]
    if status[0] in "123":
        return Reply(status, make_api(was, *rest, **named))
    return Reply(status, _fault(*rest, **named) if rest or named else _fault(status[4:]))


def make_jstream(was: Was, obj: Any, key: str | None = None) -> Any:
    """A JSON response; under `key`, if there is one."""
    return Document(obj if key is None else {key: obj})


def _fault(  # noqa: PLR0913, PLR0917  # as the documents have it
    msg: str = "",
    code: Any = FAULT_CODE,
    debug: Any = None,
    more_info: Any = None,
    exc_info: Any = None,
    traceback: bool = False,
) -> API:
    content = API(message=msg, code=code)
    if debug is not None:
        content["debug"] = debug
    if more_info is not None:
        content["more_info"] = more_info
    shown = sys.exc_info() if traceback else exc_info
    if shown:
        frames = frames_of(shown)
        if frames:
            content.setdefault("debug", "see traceback")
            content["traceback"] = frames
    return content


def frames_of(exc_info: Any) -> list[str]:
    """An exception as a list of texts: what it says, then where, the innermost place last. `exc_info` is what
    sys.exc_info() gives, an exception, or such a list."""
    if isinstance(exc_info, list):
        return exc_info
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1]
    if error is None:
        return []
    said = str(error) or type(error).__name__
    places = [
        f"in file {frame.filename} at line {frame.lineno}, function {frame.name}"
        for frame in stdlib_traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OWN_FOLDER)
    ]
    return [said, *places]
