from __future__ import annotations

from itertools import islice

import pytest

from skitaid.engine.transaction import FIRST_LTXNID, gtxnid_source, is_gtxnid, is_ltxnid, ltxnids, next_ltxnid


def test_an_id_names_the_worker_and_counts_its_requests() -> None:
    give = gtxnid_source("4676")
    assert [give() for _ in range(12345)] == [f"GTID-C4676-R{number}" for number in range(1, 12346)]


def test_workers_and_restarts_do_not_share_ids() -> None:
    assert len({gtxnid_source()() for _ in range(1000)}) == 1000


def test_our_own_ids_are_believed_by_our_other_servers() -> None:
    gtxnid = gtxnid_source()()
    assert is_gtxnid(gtxnid.encode())
    assert is_ltxnid(FIRST_LTXNID.encode())


@pytest.mark.parametrize(
    ("ltxnid", "expected"),
    [
        ("1000", ["2001", "2002", "2003"]),
        ("2001", ["3002", "3003", "3004"]),
        ("2002", ["3003", "3004", "3005"]),
        ("2999", ["31000", "31001", "31002"]),
        ("31000", ["41001", "41002", "41003"]),
        ("9004", ["9005", "9006", "9007"]),
    ],
)
def test_the_first_digit_is_the_depth_and_the_others_count_the_calls(ltxnid: str, expected: list[str]) -> None:
    assert list(islice(ltxnids(ltxnid), 3)) == expected
    assert [next_ltxnid(ltxnid, nth) for nth in (1, 2, 3)] == expected


def test_every_id_out_of_an_id_is_an_id() -> None:
    ltxnid = FIRST_LTXNID
    for _ in range(20):
        ltxnid = next_ltxnid(ltxnid, 1)
        assert is_ltxnid(ltxnid.encode())


@pytest.mark.parametrize("value", [b"GTID-C4676-R67", b"4bf92f3577b34da6a3ce929d0e0e4736", b"a", b"x" * 128])
def test_an_id_of_another_make_can_be_passed_on(value: bytes) -> None:
    assert is_gtxnid(value)


@pytest.mark.parametrize("value", [b"", b"a b", b"a, b", b"x" * 129, b"a\tb", b'a"', b"caf\xe9", b"a;b", b"a\n"])
def test_what_could_pass_for_more_than_an_id_is_none(value: bytes) -> None:
    assert not is_gtxnid(value)


@pytest.mark.parametrize("value", [b"", b"999", b"0001", b"-1000", b"1000, 2001", b"1" * 13, b"2e10", b"1000\n"])
def test_what_is_no_depth_and_count_is_no_local_id(value: bytes) -> None:
    assert not is_ltxnid(value)
