"""Where each service is found."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import skitaid.was
from skitaid import was
from skitaid.was.errors import HTTPError, NoRequestError
from skitaid.was.services import OF_REQUEST, SERVICES


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_there(name: str) -> None:
    assert getattr(was, name) is not None
    assert getattr(was, name) is getattr(was, name)


def test_no_module_has_the_name_of_a_service() -> None:
    modules = {module.name for module in pkgutil.iter_modules(skitaid.was.__path__)}
    assert modules.isdisjoint({*SERVICES, *OF_REQUEST})


def test_what_is_no_service() -> None:
    with pytest.raises(NoRequestError):
        was.nothing_of_that_name  # noqa: B018
    with pytest.raises(AttributeError):
        was.__nothing__  # noqa: B018
    assert not hasattr(was, "request")


def test_what_there_is_can_be_listed() -> None:
    assert {"get", "Tasks", "env", "register_states"} <= set(dir(was))


def test_to_import_it_imports_nothing_else() -> None:
    code = (
        "import sys; from skitaid import was;"
        "print([name for name in sys.modules if name.startswith('skitaid.') and not name.startswith('skitaid.was')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("status", "line", "code"),
    [("404 Not Found", "404 Not Found", 404), (409, "409 Conflict", 409), ("410", "410 Gone", 410),
     ("599", "599 Status 599", 599), ("507 No Room", "507 No Room", 507)],
)  # fmt: skip
def test_the_status_of_an_error(status: str | int, line: str, code: int) -> None:
    error = was.Error(status, "so it is")
    assert isinstance(error, HTTPError)
    assert (error.status, error.status_code, error.explain, str(error)) == (line, code, "so it is", f"{line}: so it is")


@pytest.mark.parametrize("status", ["Not Found", "", "404 Not\r\nX: 1", 99, "1000", "404Gone"])
def test_what_is_no_status(status: str | int) -> None:
    with pytest.raises(ValueError, match="is not a status"):
        was.Error(status)
