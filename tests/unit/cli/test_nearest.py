from __future__ import annotations

from skitaid.cli.nearest import did_you_mean, nearest


def test_a_slip_finds_its_word() -> None:
    assert nearest("samlpe", ["sample", "shop"]) == "sample"
    assert nearest("SAMPLE", ["sample"]) == "sample"


def test_what_is_like_nothing_finds_nothing() -> None:
    assert nearest("zzz", ["sample"]) is None
    assert did_you_mean("zzz", ["sample"]) == ""
    assert did_you_mean("sampel", ["sample"]) == "; did you mean sample?"
