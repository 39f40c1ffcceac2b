"""Reputation: from 0 to 1000; good work raises it, bad work lowers it, and time takes it back to the middle."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.reputation import HALF_LIVES, DayTally, first_day, score, weights

TODAY = date(2030, 6, 1)
HALF_LIFE = 30
COUNTS = ("released", "refunded", "late", "disputes_lost")

half_lives = st.integers(1, 180)
counts = st.integers(0, 500)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


tallies = st.builds(
    DayTally,
    day=st.integers(-3, 1200).map(ago),
    released=counts,
    refunded=counts,
    late=counts,
    disputes_lost=counts,
)
histories = st.lists(tallies, max_size=12)


def now(half_life: int = HALF_LIFE, **counted: int) -> int:
    return score([DayTally(TODAY, **counted)], TODAY, half_life)


def test_what_owners_are_told_is_so() -> None:
    assert [now(released=n) for n in (0, 1, 5, 20, 100)] == [500, 545, 666, 833, 954]
    assert now(released=20, disputes_lost=1) == 735
    assert [now(refunded=1), now(late=1), now(disputes_lost=1)] == [454, 416, 357]
    assert score([], TODAY, HALF_LIFE) == 500
    assert score([DayTally(ago(30), released=10)], TODAY, 30) == now(released=5)
    assert score([DayTally(ago(60), late=4)], TODAY, 30) == now(late=1)


@given(half_lives)
def test_a_weight_halves_with_every_half_life_and_never_rises(half_life: int) -> None:
    by_age = weights(half_life)
    assert len(by_age) == HALF_LIVES * half_life + 1
    assert [by_age[n * half_life] * 2**n for n in range(HALF_LIVES + 1)] == [by_age[0]] * (HALF_LIVES + 1)
    assert all(older <= younger for younger, older in pairwise(by_age))
    halfway = (by_age[half_life // 2] + by_age[half_life - half_life // 2]) / by_age[0]
    assert halfway == pytest.approx(1.5), "evenly in between"


@given(histories, half_lives)
def test_it_stays_within_its_bounds_and_does_not_depend_on_an_order(
    days: list[DayTally], half_life: int
) -> None:
    found = score(days, TODAY, half_life)
    assert 0 <= found <= 1000
    assert type(found) is int
    assert score(reversed(days), TODAY, half_life) == found


@given(histories, tallies, st.sampled_from(COUNTS), half_lives)
def test_more_good_work_never_lowers_it_and_more_bad_never_raises_it(
    days: list[DayTally], day: DayTally, name: str, half_life: int
) -> None:
    more = replace(day, **{name: getattr(day, name) + 1})
    before, after = (score([*days, each], TODAY, half_life) for each in (day, more))
    assert after >= before if name == "released" else after <= before


@given(histories, half_lives, st.integers(0, 400))
def test_time_takes_it_back_to_the_middle(days: list[DayTally], half_life: int, pause: int) -> None:
    past = [day for day in days if day.day <= TODAY]
    praise = [DayTally(day.day, released=day.released) for day in past]
    blame = [replace(day, released=0) for day in past]
    later = TODAY + timedelta(days=pause)
    assert 500 <= score(praise, later, half_life) <= score(praise, TODAY, half_life)
    assert 500 >= score(blame, later, half_life) >= score(blame, TODAY, half_life)
    assert score(past, TODAY + timedelta(days=HALF_LIVES * half_life + 1), half_life) == 500


def test_days_that_are_too_old_or_to_come_do_not_count() -> None:
    oldest = first_day(TODAY, HALF_LIFE)
    assert oldest == ago(180)
    assert score([DayTally(oldest, late=64)], TODAY, HALF_LIFE) == now(late=1)
    for day in (oldest - timedelta(days=1), TODAY + timedelta(days=1)):
        assert score([DayTally(day, late=64)], TODAY, HALF_LIFE) == 500
