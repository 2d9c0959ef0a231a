from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.config.dump import dump_conf, dump_yaml
from skitaid.config.load import default_main, load_instance, load_main, parse_instance
from skitaid.config.model import Alias, Instance, Member, Smtpda

GOLDEN = Path(__file__).parent / "golden"
GOOD = sorted(path for path in (GOLDEN / "good").iterdir() if path.suffix != ".dump")
MAIN = default_main(GOLDEN)


def reload(instance: Instance, text: str, suffix: str) -> Instance:
    path = instance.path.with_suffix(suffix)
    return replace(parse_instance(text, path, MAIN, is_root=False), path=instance.path)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_dump_loads_to_the_same(path: Path) -> None:
    instance = load_instance(path, MAIN, is_root=False)
    assert reload(instance, dump_conf(instance), ".conf") == instance
    assert reload(instance, dump_yaml(instance), ".yaml") == instance


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_dump_of_a_dump_is_the_same_text(path: Path) -> None:
    instance = load_instance(path, MAIN, is_root=False)
    assert dump_conf(reload(instance, dump_conf(instance), ".conf")) == dump_conf(instance)
    assert dump_yaml(reload(instance, dump_yaml(instance), ".yaml")) == dump_yaml(instance)


def odd(source: random.Random, *, also: str = "") -> str:
    letters = "ab,;:'\" \\#=@%/[]{}&*!|>?-\u00e9\u2603\U0001f600\u2028\u00a0\x7f" + also
    return "x" + "".join(source.choice(letters) for _ in range(source.randrange(14)))


def test_odd_texts_survive() -> None:
    source = random.Random(20)
    for _ in range(300):
        member = Member("h.example", 5432, None, odd(source), odd(source), odd(source), source.randrange(1, 9))
        instance = Instance(
            "odd",
            GOLDEN / "good" / "odd.conf",
            environment=(("A", odd(source, also="\n\r\t")), ("B", " " + odd(source) + " ")),
            aliases={"db": Alias("db", "postgresql", (member, member))},
        )
        assert reload(instance, dump_conf(instance), ".conf") == instance
        assert reload(instance, dump_yaml(instance), ".yaml") == instance


@pytest.mark.parametrize(
    "word", ["null", "~", "yes", "010", "12:30", "1e3", "-", "- a", "@a", "&a", "*a", "a: b", "#a", ""]
)
def test_words_that_yaml_reads_otherwise(word: str) -> None:
    instance = Instance("odd", GOLDEN / "good" / "odd.conf", environment=(("A", word),))
    assert reload(instance, dump_yaml(instance), ".yaml") == instance


def test_skitaid_conf(tmp_path: Path) -> None:
    path = tmp_path / "skitaid.conf"
    path.write_text(
        "[global]\nuser = root\n[smtpda]\npassword = 'p ; \"q'\nstarttls = no\n"
        "[crontab:line]\n* * * * * a ; b\n@daily c\n",
        encoding="utf-8",
    )
    main = load_main(tmp_path)
    assert main.smtpda == Smtpda(password='p ; "q', starttls="no")
    path.write_text(dump_conf(main), encoding="utf-8")
    assert load_main(tmp_path) == main
    path.unlink()
    (tmp_path / "skitaid.yaml").write_text(dump_yaml(main), encoding="utf-8")
    assert replace(load_main(tmp_path), path=path) == main


def test_a_main_without_a_file(tmp_path: Path) -> None:
    main = load_main(tmp_path)
    (tmp_path / "skitaid.conf").write_text(dump_conf(main), encoding="utf-8")
    assert replace(load_main(tmp_path), path=None) == main
