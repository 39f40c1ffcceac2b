"""As much time counts as was promised, whatever the outages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.fair_time import Pause, extended, in_words

START = datetime(2030, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[datetime, datetime, list[Pause]]:
    """A clock's start, its deadline, and pauses that do not overlap, before, during and after them."""
    moments = sorted(draw(st.sets(st.integers(0, 300), min_size=2, max_size=16)))
    ends = moments[: len(moments) // 2 * 2]
    pauses = [Pause(at(first), at(last)) for first, last in zip(ends[::2], ends[1::2], strict=True)]
    start = draw(st.integers(0, 300))
    return at(start), at(start + draw(st.integers(1, 200))), pauses


def counted(start: datetime, end: datetime, pauses: list[Pause]) -> timedelta:
    """The time from start to end outside of the pauses."""
    lost = sum(
        (max(min(each.end, end) - max(each.start, start), timedelta()) for each in pauses), timedelta()
    )
    return end - start - lost


@given(timelines())
def test_exactly_the_promised_time_counts(timeline: tuple[datetime, datetime, list[Pause]]) -> None:
    start, deadline, pauses = timeline
    assert counted(start, extended(deadline, start, pauses), pauses) == deadline - start


@given(timelines())
def test_extending_in_steps_comes_to_the_same(timeline: tuple[datetime, datetime, list[Pause]]) -> None:
    start, deadline, pauses = timeline
    in_steps = deadline
    for pause in pauses:
        in_steps = extended(in_steps, start, [pause])
    assert in_steps == extended(deadline, start, pauses)


def test_a_deadline_that_had_passed_before_the_outage_stays() -> None:
    assert extended(at(1), at(0), [Pause(at(1), at(5))]) == at(1)
    assert extended(at(1), at(0), [Pause(at(0.5), at(5))]) == at(5.5)


def test_an_outage_before_the_clock_started_counts_for_nothing() -> None:
    assert extended(at(9), at(3), [Pause(at(1), at(3))]) == at(9)
    assert extended(at(9), at(3), [Pause(at(1), at(4))]) == at(10)


def test_how_long_it_was_is_told_in_two_units() -> None:
    told = [timedelta(seconds=40), timedelta(hours=2, minutes=5, seconds=9), timedelta(days=3), timedelta()]
    assert [in_words(each) for each in told] == ["40 s", "2 h 5 min", "3 d", "a moment"]
