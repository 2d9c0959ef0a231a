from __future__ import annotations

from skitaid.cli.nearest import did_you_mean


def test_a_slip_finds_its_word() -> None:
    assert did_you_mean("samlpe", ["sample", "shop"]) == "; did you mean sample?"
    assert did_you_mean("SAMPLE", ["sample"]) == "; did you mean sample?"


def test_what_is_like_nothing_finds_nothing() -> None:
    assert did_you_mean("zzz", ["sample"]) == ""
