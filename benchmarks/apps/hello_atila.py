"""The same as an app of Atila, with ten routes or ten thousand."""

from __future__ import annotations

from typing import Any

from skitaid.atila import Atila

FEW = range(0, 10_000, 1_000)
MANY = range(10_000)


def make(name: str, numbers: range) -> Atila:
    """Hello at `/`, JSON that comes back at `/echo`, and a route for each number."""
    made = Atila(name)

    @made.route("/")
    def hello(was: Any) -> str:
        return "Hello, World!"

    @made.route("/echo", methods=["GET", "POST"])
    def echo(was: Any) -> Any:
        return was.API(was.request.JSON)

    for number in numbers:
        made.route(f"/r{number}/<int:item>/<name>")(lambda was, item, name: "Hello, World!")
    return made


app = make(__name__, FEW)
many = make(f"{__name__}_many", MANY)
