"""docs/configuration.md names every key there is, with the default that applies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.config import schema
from skitaid.config.model import Alias, CriticalPoint, ForwardProxy, Gateway, ProxyCache, Server, Smtpda, State, Tls

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
SECTIONS = {
    "[global]": schema.GLOBAL,
    "[smtpda]": schema.SMTPDA,
    "[state]": schema.STATE,
    "[server]": schema.SERVER,
    "[/path] and [host/path]": schema.MOUNT,
    "[host]": schema.HOST,
    "[@alias]": schema.ALIAS,
    "[proxypass]": schema.PROXY_CACHE,
    "[proxy]": schema.FORWARD_PROXY,
    "[api-gateway]": schema.GATEWAY,
    "[critical_point]": schema.CRITICAL_POINT,
}


def rows(section: str) -> Iterator[tuple[list[str], str]]:
    """Keys and default of each row in the first table below a heading."""
    text = PAGE.partition(f"\n### {section}\n")[2].partition("\n#")[0]
    table = text[text.index("\n| key |") :].lstrip("\n").partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        keys, default = row.split("|")[1:3]
        yield [word.strip() for word in re.sub(r"\(.*?\)", "", keys).split(",")], default.strip(" `")


def documented(section: str) -> set[str]:
    return {name for names, _ in rows(section) for name in names}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_documented(section: str) -> None:
    assert documented(section) - {"config.NAME"} == set(SECTIONS[section])


@pytest.mark.parametrize("section", [name for name in schema.SERVER_SOURCES if name != "server"])
def test_grouped_keys_are_documented(section: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `[{section}]` |"))
    assert set(schema.SERVER_SOURCES[section]) <= set(re.findall(r"\w+", row))


@pytest.mark.parametrize(
    ("section", "defaults"),
    [
        ("[smtpda]", Smtpda()),
        ("[state]", State()),
        ("[server]", Server()),
        ("[@alias]", Alias("name")),
        ("[proxypass]", ProxyCache()),
        ("[proxy]", ForwardProxy()),
        ("[api-gateway]", Gateway()),
        ("[critical_point]", CriticalPoint()),
    ],
)
def test_defaults_are_documented(section: str, defaults: object) -> None:
    compared = 0
    for names, told in rows(section):
        key = SECTIONS[section][names[0]]
        shown = key.kind.show(getattr(defaults, key.field, None))
        if isinstance(shown, str) and shown not in ("", "None"):
            assert told.startswith(shown), names
            compared += 1
    assert compared


@pytest.mark.parametrize("name", ["client_cert", "forward", "hsts", "hsts_subdomains"])
def test_defaults_of_tls_are_documented(name: str) -> None:
    told = {each: default for names, default in rows("[server]") for each in names}
    key = schema.SERVER[name]
    assert told[name] == key.kind.show(getattr(Tls(), key.field))
