"""The table of a payout's states, walked: each passing one has a deadline and a way on, and nothing is doubted."""

from __future__ import annotations

import itertools

import pytest

from webapp.domain.payout_states import (
    FINAL,
    IN_TRANSACTION,
    PASSING,
    STATES,
    UNCLAIMED,
    OwnerAction,
    PayoutAction,
    PayoutStatus,
    Turn,
    owner_may,
    refusal,
    state_of,
)

ALLOWED = {
    (PayoutStatus.AWAITING_APPROVAL, PayoutAction.APPROVE),
    (PayoutStatus.AWAITING_APPROVAL, PayoutAction.RETURN),
    (PayoutStatus.HELD, PayoutAction.RESUME),
    (PayoutStatus.HELD, PayoutAction.RETURN),
    (PayoutStatus.QUEUED, PayoutAction.HOLD),
    (PayoutStatus.QUEUED, PayoutAction.RETURN),
    (PayoutStatus.SIGNED, PayoutAction.REBROADCAST),
    (PayoutStatus.SIGNED, PayoutAction.RETURN),
    (PayoutStatus.BROADCAST, PayoutAction.REBROADCAST),
    (PayoutStatus.BROADCAST, PayoutAction.RAISE_FEE),
    (PayoutStatus.UNKNOWN, PayoutAction.REBROADCAST),
    (PayoutStatus.UNKNOWN, PayoutAction.RETURN),
    (PayoutStatus.UNKNOWN, PayoutAction.ACCEPT),
    (PayoutStatus.UNKNOWN, PayoutAction.QUEUE_AGAIN),
    (PayoutStatus.UNKNOWN, PayoutAction.RETURN_UNPAID),
}


def test_every_state_says_what_it_means_and_is_passing_or_final() -> None:
    assert set(STATES) == set(PayoutStatus)
    assert set(PASSING) | set(FINAL) == set(PayoutStatus)
    assert set(FINAL) == {PayoutStatus.CONFIRMED, PayoutStatus.FAILED}
    for state in STATES.values():
        assert state.meaning.endswith(".")
        assert not state.instead.endswith(".")
        assert (state.deadline is None) == (state.turn is Turn.NOBODY)


@pytest.mark.parametrize("status", PayoutStatus)
@pytest.mark.parametrize("action", PayoutAction)
def test_an_operator_may_do_what_the_table_says_and_is_told_the_state_otherwise(
    status: PayoutStatus, action: PayoutAction
) -> None:
    reason = refusal(status, action)
    assert (reason is None) == ((status, action) in ALLOWED)
    if reason is not None:
        assert reason.startswith(f"The payout is {status.replace('_', ' ')}: ")


def test_who_waits_for_the_network_or_the_worker_is_never_without_an_operators_action_but_for_a_lease() -> (
    None
):
    without = {status for status in PASSING if not state_of(status).may_do}
    assert without == {PayoutStatus.CLAIMED}


def test_what_the_network_may_have_is_never_returned_by_a_word_alone() -> None:
    for status in PayoutStatus:
        may_return = PayoutAction.RETURN in state_of(status).may_do
        assert may_return == (status in (*UNCLAIMED, PayoutStatus.SIGNED, PayoutStatus.UNKNOWN))
    assert set(UNCLAIMED).isdisjoint(IN_TRANSACTION)


def test_a_destination_changes_until_it_is_claimed_and_a_hold_cannot_be_walked_around() -> None:
    assert owner_may(OwnerAction.REDIRECT) == UNCLAIMED
    assert set(owner_may(OwnerAction.TAKE_BACK)) == set(UNCLAIMED) - {PayoutStatus.HELD}


def test_the_owner_may_do_nothing_that_the_worker_might_undo() -> None:
    for status, action in itertools.product(PayoutStatus, OwnerAction):
        if status not in UNCLAIMED:
            assert action not in state_of(status).owner_may_do
