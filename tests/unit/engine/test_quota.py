"""The counts that decide whether a connection is let in."""

from __future__ import annotations

from skitaid.engine.quota import Admission, Quota, QuotaSettings


def test_an_address_has_a_limit_and_gets_room_back() -> None:
    quota = Quota(QuotaSettings(per_address=2))
    assert [quota.enter("10.0.0.1", is_counted=True) for _ in range(3)] == [
        Admission.WELCOME, Admission.WELCOME, Admission.ADDRESS_FULL,
    ]  # fmt: skip
    assert quota.enter("10.0.0.2", is_counted=True) is Admission.WELCOME
    quota.leave("10.0.0.1")
    assert quota.enter("10.0.0.1", is_counted=True) is Admission.WELCOME


def test_all_together_have_a_limit() -> None:
    quota = Quota(QuotaSettings(connections=2, per_address=0))
    assert quota.enter("a", is_counted=True) is Admission.WELCOME
    assert not quota.is_full
    assert quota.enter("b", is_counted=True) is Admission.WELCOME
    assert quota.is_full
    assert quota.enter("c", is_counted=True) is Admission.FULL
    quota.leave("a")
    assert quota.enter("c", is_counted=True) is Admission.WELCOME


def test_zero_is_no_limit() -> None:
    quota = Quota(QuotaSettings(connections=0, per_address=0))
    assert {quota.enter("a", is_counted=True) for _ in range(5000)} == {Admission.WELCOME}


def test_unix_sockets_and_trusted_peers_are_not_counted_by_address() -> None:
    quota = Quota(QuotaSettings(per_address=1))
    assert {quota.enter("", is_counted=True) for _ in range(5)} == {Admission.WELCOME}
    assert {quota.enter("10.0.0.1", is_counted=False) for _ in range(5)} == {Admission.WELCOME}
    for _ in range(5):
        quota.leave("10.0.0.1")
    # Nothing is left over, in either direction.
    assert quota.enter("10.0.0.1", is_counted=True) is Admission.WELCOME
    assert quota.enter("10.0.0.1", is_counted=True) is Admission.ADDRESS_FULL


def test_nothing_is_remembered_of_those_who_left() -> None:
    quota = Quota(QuotaSettings())
    for number in range(1000):
        quota.enter(str(number), is_counted=True)
        quota.leave(str(number))
    assert not quota._by_address
