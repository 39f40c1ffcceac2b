"""What would come of the courses that people ask about, by the very rules that decide in the end.

Heights stand still in all of them, but in those that suppose that one is reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webapp.domain.fair_time import Pause
from webapp.domain.terms.exploration import ANOTHER_HASH
from webapp.domain.terms.facts import Delivery, Facts, moment_of
from webapp.domain.terms.language import Fact, Height, Terms
from webapp.domain.terms.outcome import END_OF_TIME, Decision, Outcome, outcome
from webapp.domain.terms.progress import clock, history

ANY_HASH = "any"
"""Stands for a delivered hash where the terms name none."""
LAST_CHANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Course:
    """What is supposed to happen, and nothing else: a delivery, facts, a height, or nothing at all."""

    result_hash: str | None = None
    facts: tuple[Fact, ...] = ()
    height: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing at all happens."""
        return self == Course()


@dataclass(frozen=True, slots=True)
class Prediction:
    """Who is paid at the end of a course, and when.

    `at` is for the case that all of it happens now. As long as it happens before `by` it comes out for the same side,
    at `at_latest` if it happens in the last second; where `by` is None, it does so whenever it happens.
    """

    course: Course
    decision: Decision
    at: datetime
    by: datetime | None
    at_latest: datetime
    delay: timedelta | None
    """How long after the course it is, where that does not depend on when it happens; zero is at once."""


def simulate(
    terms: Terms, facts: Facts, now: datetime, height: int = 0, pauses: Iterable[Pause] = ()
) -> list[Prediction]:
    """The interesting courses from here on; none where it is decided.

    First that nobody does anything, then each thing that somebody could do, with a delivery and without. One that
    changes nothing against a simpler one is left out. If none of them gets the provider paid, there comes all at once.
    """
    simulation = _Simulation(terms, facts, now, height, list(pauses))
    if outcome(terms, facts, now, height, pauses).decision is not None:
        return []
    return list(simulation.predictions())


class _Simulation:
    def __init__(self, terms: Terms, facts: Facts, now: datetime, height: int, pauses: list[Pause]) -> None:
        self._terms, self._facts = terms, facts
        self._height, self._pauses = height, pauses
        has_news = any(step.at == now for step in history(terms, facts, now, height, pauses))
        self._now = (
            now + timedelta.resolution if has_news else now
        )  # what is supposed comes after what has come
        self._is_undelivered = facts.delivery is None and terms.heeds_delivery

    def predictions(self) -> Iterator[Prediction]:
        """One for each course that differs."""
        seen: list[Prediction] = []
        for course in self._courses():
            made = self._predict(course)
            if made is not None and not any(_is_no_news(made, each) for each in seen):
                seen.append(made)
                yield made
        if not any(each.decision is Decision.RELEASE for each in seen):
            highest = max((each.height for each in self._open_heights()), default=None)
            made = self._predict(Course(self._good_hash(), self._open_facts(), highest))
            if made is not None and made.decision is Decision.RELEASE:
                yield made

    def _courses(self) -> Iterator[Course]:
        """The simpler ones first."""
        yield Course()
        for fact in self._open_facts():
            yield Course(facts=(fact,))
        if self._is_undelivered:
            good = self._good_hash()
            yield Course(good)
            if good != ANY_HASH:
                yield Course(ANOTHER_HASH)
            for fact in self._open_facts():
                yield Course(good, (fact,))
        for each in self._open_heights():
            yield Course(height=each.height)

    def _predict(self, course: Course) -> Prediction | None:
        """None where the terms would never end, which terms that are proven never do."""
        end = self._outcome(course, self._now)
        if end.decision is None or end.at is None:
            return None
        by = None if course.is_idle else self._last_chance(course, end.decision)
        latest = self._now if by is None else max(self._now, by - LAST_CHANCE)
        at_latest = self._outcome(course, latest).at or end.at
        delay = end.at - self._now
        is_steady = not course.is_idle and at_latest - latest == delay and not (by is None and delay)
        return Prediction(course, end.decision, end.at, by, at_latest, delay if is_steady else None)

    def _last_chance(self, course: Course, decision: Decision) -> datetime | None:
        """The first moment at which the same course comes out otherwise: one of the terms, or a window before it."""
        for moment in self._turning_points():
            if self._outcome(course, moment).decision is not decision:
                return moment
        return None

    def _turning_points(self) -> list[datetime]:
        moments = set(clock(self._terms, self._facts, self._pauses).values())
        windows = (
            [timedelta(hours=each.hours) for each in self._terms.windows] if self._is_undelivered else []
        )
        earlier = {moment - window for moment in moments for window in windows}
        return sorted(moment for moment in moments | earlier if moment > self._now)

    def _outcome(self, course: Course, moment: datetime) -> Outcome:
        """The end of all, if the course happens at that moment."""
        return outcome(self._terms, self._supposing(course, moment), END_OF_TIME, 0, self._pauses)

    def _supposing(self, course: Course, moment: datetime) -> Facts:
        heights = {each.height: self._now for each in self._terms.heights if each.height <= self._height}
        heights |= self._facts.heights
        if course.height is not None:
            heights |= {each.height: moment for each in self._open_heights() if each.height <= course.height}
        supposed = dict.fromkeys(course.facts, moment)
        delivery = self._facts.delivery
        if course.result_hash is not None:
            delivery = Delivery(course.result_hash, moment)
        return replace(self._facts, delivery=delivery, heights=heights, supposed=supposed)

    def _good_hash(self) -> str | None:
        if not self._is_undelivered:
            return None
        return next(iter(self._terms.result_hashes), ANY_HASH)

    def _open_facts(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self._terms.facts if moment_of(fact, self._facts) is None)

    def _open_heights(self) -> list[Height]:
        known = self._facts.heights
        return [
            each for each in self._terms.heights if each.height > self._height and each.height not in known
        ]


def _is_no_news(made: Prediction, simpler: Prediction) -> bool:
    """Whether a course adds something to another one that makes no difference."""
    adds_to = set(simpler.course.facts) <= set(made.course.facts) and simpler.course.result_hash in (
        None,
        made.course.result_hash,
    )
    return adds_to and (made.decision, made.at, made.by) == (simpler.decision, simpler.at, simpler.by)
