"""The ladder of a dispute: whoever stays silent, it ends by time alone, and the parts of a ruling are exact."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.disputes.clocks import Hours
from webapp.domain.disputes.conflicts import Candidate, in_turn
from webapp.domain.disputes.defaults import (
    Basis,
    CountVotes,
    End,
    GoOn,
    Reassign,
    is_bond_lost,
    when_time_is_over,
)
from webapp.domain.disputes.rungs import (
    ASSIGNED,
    DEEDS,
    SIDES,
    Deed,
    Rung,
    Seat,
    Standing,
    allowed_deeds,
    obstacle,
    refusal,
    takes_evidence,
)
from webapp.domain.disputes.shares import HALF, NOTHING, WHOLE, percent_of, share_of, share_of_percent
from webapp.domain.disputes.votes import Way, decide
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import MAX_BASE_UNITS, Amount, split

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOURS = Hours(answer=72, mediation=48, ruling=120, appeal=24, panel=96)
SECOND = timedelta(seconds=1)
LIVE = [rung for rung in Rung if rung is not Rung.ENDED]

standings = st.builds(
    Standing,
    rung=st.sampled_from(LIVE),
    opener=st.sampled_from(sorted(SIDES)),
    ends_at=st.just(NOW),
    has_answered=st.booleans(),
    is_delivered=st.booleans(),
    is_proposed=st.booleans(),
    accepted=st.frozensets(st.sampled_from(sorted(SIDES))),
    reassigned=st.integers(0, 5),
)


@given(standings, st.integers(0, 5), st.lists(st.booleans(), max_size=40), st.lists(st.integers(0, 3)))
def test_every_path_ends_by_time_alone_and_within_the_longest_time(
    standing: Standing, limit: int, has_somebody: list[bool], votes: list[int]
) -> None:
    is_there, cast = iter(has_somebody), iter(votes)
    since, elapsed = NOW, timedelta(0)
    while True:
        ends_at = HOURS.end_of(standing.rung, since)
        elapsed += ends_at - since
        may = next(is_there, True) and (standing.rung is Rung.PANEL or standing.reassigned < limit)
        step = when_time_is_over(standing, may_reassign=may, votes=next(cast, 0))
        since = ends_at
        match step:
            case GoOn(rung):
                standing = replace(standing, rung=rung, reassigned=0)
            case Reassign():
                standing = replace(standing, reassigned=standing.reassigned + 1)
            case CountVotes():
                break
            case End(share, basis):
                assert share in (None, NOTHING, HALF, WHOLE) and isinstance(basis, Basis)
                break
    assert elapsed <= HOURS.longest(limit)


@pytest.mark.parametrize(
    ("rung", "opener", "has_answered", "is_delivered", "step"),
    [
        (Rung.TALK, Seat.PAYER, False, False, End(NOTHING, Basis.SILENCE)),
        (Rung.TALK, Seat.PAYER, False, True, End(NOTHING, Basis.SILENCE)),
        (Rung.TALK, Seat.PROVIDER, False, False, End(NOTHING, Basis.SILENCE)),
        (Rung.TALK, Seat.PROVIDER, False, True, End(WHOLE, Basis.SILENCE)),
        (Rung.TALK, Seat.PAYER, True, False, GoOn(Rung.MEDIATION)),
        (Rung.MEDIATION, Seat.PAYER, False, True, GoOn(Rung.ARBITRATION)),
        (Rung.ARBITRATION, Seat.PAYER, True, True, End(HALF, Basis.NO_RULING)),
        (Rung.ARBITRATION, Seat.PROVIDER, True, False, End(NOTHING, Basis.NO_RULING)),
        (Rung.APPEAL, Seat.PAYER, True, True, End(None, Basis.RULING)),
        (Rung.PANEL, Seat.PAYER, True, True, CountVotes()),
    ],
)
def test_what_silence_leads_to(
    rung: Rung, opener: Seat, has_answered: bool, is_delivered: bool, step: object
) -> None:
    standing = Standing(rung, opener, NOW, has_answered=has_answered, is_delivered=is_delivered)
    assert when_time_is_over(standing, may_reassign=False) == step


def test_an_arbiter_is_replaced_while_there_is_another_and_a_panel_is_filled_up_once() -> None:
    arbitration = Standing(Rung.ARBITRATION, Seat.PAYER, NOW)
    assert when_time_is_over(arbitration, may_reassign=True) == Reassign()
    panel = Standing(Rung.PANEL, Seat.PAYER, NOW)
    assert [when_time_is_over(panel, may_reassign=True, votes=n) for n in range(3)] == [
        Reassign(),
        Reassign(),
        CountVotes(),
    ]
    filled = replace(panel, reassigned=1)
    assert when_time_is_over(filled, may_reassign=True, votes=0) == CountVotes()
    with pytest.raises(ValueError, match="no clock"):
        when_time_is_over(replace(panel, rung=Rung.ENDED), may_reassign=True)


@given(standings)
def test_nobody_can_do_anything_once_the_time_is_over_or_it_has_ended(standing: Standing) -> None:
    everybody = frozenset(Seat)
    assert allowed_deeds(standing, everybody, NOW) == frozenset()
    ended = replace(standing, rung=Rung.ENDED, ends_at=NOW + SECOND)
    assert allowed_deeds(ended, everybody, NOW) == frozenset()
    assert all(obstacle(ended, deed, NOW) for deed in Deed)
    in_time = replace(standing, ends_at=NOW + SECOND)
    for deed in allowed_deeds(in_time, everybody, NOW):
        assert obstacle(in_time, deed, NOW) is None


def test_who_may_do_what_on_each_rung() -> None:
    """The whole table: every rung, every deed, every seat, when nothing else stands in the way."""
    told = {}
    for rung, deed, seat in itertools.product(LIVE, Deed, Seat):
        is_proposed = deed is Deed.ACCEPT
        standing = Standing(rung, Seat.PAYER, NOW + SECOND, has_answered=True, is_proposed=is_proposed)
        may = obstacle(standing, deed, NOW) is None and refusal(standing, deed, frozenset({seat})) is None
        assert may == (deed in allowed_deeds(standing, frozenset({seat}), NOW))
        if may:
            told.setdefault((rung, deed), set()).add(seat)
    assert told == {key: set(seats) for key, seats in DEEDS.items()}
    assert {rung for rung in Rung if takes_evidence(rung)} == {Rung.TALK, Rung.MEDIATION, Rung.ARBITRATION}
    for rung, seat in ASSIGNED.items():
        assert DEEDS[rung, Deed.STEP_DOWN] == {seat}


def test_what_stands_in_the_way() -> None:
    talk = Standing(Rung.TALK, Seat.PAYER, NOW + SECOND)
    assert "not answered" in (obstacle(talk, Deed.ESCALATE, NOW) or "")
    mediation = replace(talk, rung=Rung.MEDIATION)
    assert "proposed anything" in (obstacle(mediation, Deed.ACCEPT, NOW) or "")
    proposed = replace(mediation, is_proposed=True, accepted=frozenset({Seat.PAYER}))
    assert "already" in (obstacle(proposed, Deed.PROPOSE, NOW) or "")
    assert obstacle(proposed, Deed.STEP_DOWN, NOW) is not None
    assert Deed.ACCEPT not in allowed_deeds(proposed, frozenset({Seat.PAYER}), NOW)
    assert Deed.ACCEPT in allowed_deeds(proposed, frozenset({Seat.PROVIDER}), NOW)


@pytest.mark.parametrize(
    ("votes", "share", "way"),
    [
        ([NOTHING, NOTHING, WHOLE], NOTHING, Way.MAJORITY),
        ([WHOLE, NOTHING, WHOLE], WHOLE, Way.MAJORITY),
        ([2500, 2500, 2500], 2500, Way.MAJORITY),
        ([NOTHING, 6000, WHOLE], 6000, Way.MEDIAN),
        ([7000, 3000, 5000], 5000, Way.MEDIAN),
        ([6000, 6000], 6000, Way.MAJORITY),
        ([6000, 5000], 1234, Way.FIRST_RULING),
        ([6000], 1234, Way.FIRST_RULING),
        ([], 1234, Way.FIRST_RULING),
    ],
)
def test_how_a_panel_decides(votes: list[int], share: int, way: Way) -> None:
    for order in itertools.permutations(votes):
        decision = decide(order, 1234)
        assert (decision.share, decision.way) == (share, way)
        assert decision.upholds(1234) == (share == 1234)
    with pytest.raises(ValueError, match="3 votes"):
        decide([1, 2, 3, 4], 0)


@given(st.integers(1, MAX_BASE_UNITS), st.integers(NOTHING, WHOLE), st.integers(0, 10_000))
def test_the_parts_of_a_ruling_always_add_to_the_amount(units: int, share: int, fund: int) -> None:
    amount = Amount(units)
    side = share_of(amount, share)
    provider, community = split(side, fund)
    payer = amount - side
    assert provider.base_units + community.base_units + payer.base_units == units
    assert share_of(amount, WHOLE) == amount and not share_of(amount, NOTHING)
    assert share_of_percent(percent_of(share)) == share


@pytest.mark.parametrize("text", ["", "-1", "100.01", "33.333", "nan", "Infinity", "1e9", "half"])
def test_a_share_is_a_percentage_with_two_decimals(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        share_of_percent(text)
    assert "percent" in refused.value.fields


def test_the_bond_is_lost_only_by_a_stated_ruling_that_gives_the_opener_nothing() -> None:
    lost = {
        (opener, basis, share)
        for opener, basis, share in itertools.product(sorted(SIDES), Basis, (NOTHING, HALF, WHOLE))
        if is_bond_lost(opener, basis, share)
    }
    judged = (Basis.RULING, Basis.PANEL)
    assert lost == {(Seat.PAYER, b, WHOLE) for b in judged} | {(Seat.PROVIDER, b, NOTHING) for b in judged}


@given(
    st.lists(st.tuples(st.integers(1, 50), st.none() | st.integers(0, 100)), unique_by=lambda each: each[0]),
    st.frozensets(st.integers(1, 50)),
    st.integers(0, 5),
)
def test_assignment_goes_round_and_by_those_it_concerns(
    people: list[tuple[int, int | None]], conflicted: frozenset[int], number: int
) -> None:
    candidates = [Candidate(who, None if at is None else NOW + at * SECOND) for who, at in people]
    chosen = in_turn(candidates, conflicted, number)
    free = {who: at for who, at in people if who not in conflicted}
    assert len(chosen) == len(set(chosen)) == min(number, len(free)) and set(chosen) <= free.keys()

    def age(who: int) -> int:
        at = free[who]
        return -1 if at is None else at

    passed_by = free.keys() - set(chosen)
    assert all(age(a) <= age(b) for a in chosen for b in passed_by)
