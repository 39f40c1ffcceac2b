"""The whole table of states, walked: money has a way out of every state, and nobody has a right too many."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from webapp.domain.escrow_states import (
    HOLDING,
    MOVES,
    TERMINAL,
    Action,
    Party,
    Status,
    Terms,
    allowed_actions,
    refusal,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Terms(Status.ACTIVE, NOW + HOUR, None)
EVERYBODY = [
    frozenset(group) for size in range(len(Party) + 1) for group in itertools.combinations(Party, size)
]


def terms(status: Status, *, expired: bool = False, window_over: bool = False, unpaid: bool = False) -> Terms:
    accept_by = (
        None if status in (Status.PENDING, Status.ACTIVE) else NOW - HOUR if window_over else NOW + HOUR
    )
    fund_by = NOW - HOUR if unpaid else NOW + HOUR
    return Terms(status, NOW - HOUR if expired else NOW + HOUR, accept_by, fund_by)


def every_terms(status: Status) -> list[Terms]:
    return [
        terms(status, expired=a, window_over=b, unpaid=c)
        for a, b, c in itertools.product((False, True), repeat=3)
    ]


def only(*parties: Party) -> frozenset[Party]:
    return frozenset(parties)


def test_every_state_is_waiting_for_money_or_holds_it_or_is_final() -> None:
    assert {Status.PENDING} | HOLDING | TERMINAL == set(Status)
    assert HOLDING.isdisjoint(TERMINAL)


def test_final_states_have_no_moves() -> None:
    assert not [move for move in MOVES if move[0] in TERMINAL]


def test_every_state_can_be_reached_and_every_other_one_leads_to_a_final_one() -> None:
    reached, frontier = {Status.PENDING}, {Status.PENDING}
    while frontier:
        frontier = {after for (before, _), after in MOVES.items() if before in frontier} - reached
        reached |= frontier
    assert reached == set(Status)
    ends = set(TERMINAL)
    while more := {before for (before, _), after in MOVES.items() if after in ends} - ends:
        ends |= more
    assert ends == set(Status)


def test_money_only_ever_leaves_into_a_final_state() -> None:
    for (before, _), after in MOVES.items():
        if before in HOLDING:
            assert after in HOLDING | TERMINAL


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.DELIVERED])
def test_time_alone_brings_the_money_out_of_every_state_without_a_dispute(status: Status) -> None:
    late = terms(status, expired=True, window_over=True)
    ways = allowed_actions(late, only(Party.CLOCK), NOW)
    assert {MOVES[status, action] for action in ways} & TERMINAL


def test_either_side_and_time_cancel_what_is_not_paid_for_and_nothing_else_can_be_done_to_it() -> None:
    for pending, parties in itertools.product(every_terms(Status.PENDING), EVERYBODY):
        may_cancel = bool(parties & {Party.PAYER, Party.PROVIDER}) or (
            Party.CLOCK in parties and pending.funding_is_over(NOW)
        )
        assert allowed_actions(pending, parties, NOW) == ({Action.REFUND} if may_cancel else set())
    assert MOVES[Status.PENDING, Action.REFUND] is Status.REFUNDED
    assert not {Action.DELIVER, Action.RELEASE, Action.DISPUTE} & {
        action for status, action in MOVES if status is Status.PENDING
    }


def test_nobody_funds_an_escrow_by_saying_so() -> None:
    for status, parties in itertools.product(Status, EVERYBODY):
        for each in every_terms(status):
            assert Action.FUND not in allowed_actions(each, parties, NOW)
            assert "coins that arrive" in str(refusal(each, Action.FUND, parties, NOW))


def test_what_is_disputed_ends_by_an_agreement_a_ruling_or_when_one_side_gives_in() -> None:
    decisive = {Party.AGREEMENT, Party.RULING}
    for disputed in every_terms(Status.DISPUTED):
        for parties in EVERYBODY:
            ways = allowed_actions(disputed, parties, NOW)
            if decisive & parties:
                assert ways == {Action.RELEASE, Action.REFUND, Action.RESOLVE}
            else:
                assert (Action.RELEASE in ways) == (Party.PAYER in parties)
                assert (Action.REFUND in ways) == (Party.PROVIDER in parties)
                assert Action.RESOLVE not in ways


def test_an_agreement_divides_what_is_held_and_a_ruling_only_what_is_disputed() -> None:
    for status in Status:
        for each in every_terms(status):
            by_agreement = Action.RESOLVE in allowed_actions(each, only(Party.AGREEMENT), NOW)
            by_ruling = Action.RESOLVE in allowed_actions(each, only(Party.RULING), NOW)
            assert (by_agreement, by_ruling) == (status in HOLDING, status is Status.DISPUTED)
            others = frozenset(Party) - {Party.AGREEMENT, Party.RULING}
            assert Action.RESOLVE not in allowed_actions(each, others, NOW)


def test_nobody_can_do_anything_to_a_final_escrow() -> None:
    for status, parties in itertools.product(TERMINAL, EVERYBODY):
        for each in every_terms(status):
            assert allowed_actions(each, parties, NOW) == frozenset()


def test_a_provider_can_never_release_to_itself() -> None:
    for status in Status:
        for each in every_terms(status):
            assert Action.RELEASE not in allowed_actions(each, only(Party.PROVIDER), NOW)
            assert refusal(each, Action.RELEASE, only(Party.PROVIDER), NOW) is not None


def test_a_stranger_can_do_nothing_at_all() -> None:
    for status in Status:
        for each in every_terms(status):
            assert allowed_actions(each, frozenset(), NOW) == frozenset()


def test_only_the_provider_delivers_and_only_in_time() -> None:
    for parties in EVERYBODY:
        may = Action.DELIVER in allowed_actions(terms(Status.ACTIVE), parties, NOW)
        assert may == (Party.PROVIDER in parties)
        assert Action.DELIVER not in allowed_actions(terms(Status.ACTIVE, expired=True), parties, NOW)


@pytest.mark.parametrize("party", [Party.PAYER, Party.VERIFIER])
def test_payer_and_verifier_release_what_is_active_or_delivered(party: Party) -> None:
    for status in (Status.ACTIVE, Status.DELIVERED):
        for each in every_terms(status):
            assert Action.RELEASE in allowed_actions(each, only(party), NOW)


def test_the_clock_releases_only_what_was_delivered_and_only_when_the_window_is_over() -> None:
    for status in Status:
        for each in every_terms(status):
            may = Action.RELEASE in allowed_actions(each, only(Party.CLOCK), NOW)
            assert may == (status is Status.DELIVERED and each.window_is_over(NOW))


def test_payer_and_clock_refund_only_when_the_deadline_passed_without_a_delivery() -> None:
    for party, status in itertools.product((Party.PAYER, Party.CLOCK), (Status.ACTIVE, Status.DELIVERED)):
        for each in every_terms(status):
            may = Action.REFUND in allowed_actions(each, only(party), NOW)
            assert may == (status is Status.ACTIVE and each.has_expired(NOW))


@pytest.mark.parametrize("party", [Party.PROVIDER, Party.VERIFIER])
def test_provider_and_verifier_refund_at_any_time_before_release(party: Party) -> None:
    for status in (Status.ACTIVE, Status.DELIVERED):
        for each in every_terms(status):
            assert Action.REFUND in allowed_actions(each, only(party), NOW)


def test_the_clock_strikes_exactly_at_the_moment() -> None:
    instant = timedelta(microseconds=1)
    active = Terms(Status.ACTIVE, NOW, None)
    delivered = Terms(Status.DELIVERED, NOW - HOUR, NOW)
    pending = Terms(Status.PENDING, NOW + HOUR, None, NOW)
    assert not pending.funding_is_over(NOW - instant)
    assert pending.funding_is_over(NOW)
    assert not Terms(Status.ACTIVE, NOW + HOUR, None, NOW).funding_is_over(NOW), "it is paid for"
    assert not active.has_expired(NOW - instant)
    assert active.has_expired(NOW)
    assert not delivered.window_is_over(NOW - instant)
    assert delivered.window_is_over(NOW)
    assert not OPEN.window_is_over(NOW + 1000 * HOUR), "without a delivery there is no window"


def test_who_has_more_capacities_may_not_do_less() -> None:
    for status, parties, party in itertools.product(Status, EVERYBODY, Party):
        for each in every_terms(status):
            assert allowed_actions(each, parties, NOW) <= allowed_actions(each, parties | {party}, NOW)
