"""Whatever stands in a conf file, it is understood or explained; it never raises anything else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from skitaid.config.dump import dump_conf
from skitaid.config.load import default_main, parse_instance
from skitaid.config.model import Instance
from skitaid.config.reader import decode
from skitaid.config.report import Report
from skitaid.exceptions import ConfError

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(path for folder in ("good", "bad") for path in (GOLDEN / folder).glob("*.[cy]*"))
PIECES = [
    b"\n",
    b"=",
    b":",
    b"[",
    b"]",
    b"@",
    b"/",
    b"//",
    b"'",
    b'"',
    b"\\",
    b" ;",
    b"#",
    b",",
    b"..",
    b"\0",
    b"\xff",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"%",
    b"*",
    b"&",
    b"!",
    b"{",
    b"}",
    b"- ",
    b"  ",
    b"\t",
    b"\xc3\xbc",
]


def mutated(source: random.Random, data: bytes) -> bytes:
    for _ in range(source.randrange(1, 5)):
        at = source.randrange(len(data) + 1)
        until = at + source.choice((0, 0, 1, 3, 10))
        data = data[:at] + source.choice(PIECES) + data[until:]
    return data


def understood(data: bytes, path: Path) -> Instance | None:
    text = decode(data, Report(str(path)))
    try:
        return parse_instance(text, path, default_main(GOLDEN), is_root=False)
    except ConfError as error:
        assert any(not problem.is_warning for problem in error.problems)
        return None


@pytest.mark.parametrize("seed", range(8))
def test_mutations(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(120):
        path = source.choice(FILES)
        instance = understood(mutated(source, path.read_bytes()), path)
        if instance is not None:
            again = understood(dump_conf(instance).encode(), path.with_suffix(".conf"))
            assert again is not None
            assert again.server == instance.server
            assert again.hosts == instance.hosts
            assert again.aliases == instance.aliases
