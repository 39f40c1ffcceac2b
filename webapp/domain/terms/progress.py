"""What has happened, in the order that decides: the proof goes through every such order, the outcome through one.

Everything happens one by one. What has the same moment goes by the calendar first, then by the time since the
delivery, then by heights, then the delivery, then facts in the order of the terms. So there is always a first moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webapp.domain.fair_time import Pause, extended
from webapp.domain.terms.facts import Delivery, Facts, moment_of
from webapp.domain.terms.language import (
    After,
    Before,
    DeliveredWithin,
    Fact,
    Height,
    Leaf,
    ProviderSignsResult,
    ResultHashIs,
    SinceDelivery,
    Terms,
    Time,
    When,
)

Event = Time | SinceDelivery | Height | Delivery | Fact
_RANKS: tuple[type, ...] = (Time, SinceDelivery, Height, Delivery)


@dataclass(frozen=True, slots=True)
class Progress:
    """What has come to pass. `result_hash` is None before the delivery; `met` are the times that came after it."""

    passed: frozenset[When] = frozenset()
    happened: frozenset[Fact] = frozenset()
    result_hash: str | None = None
    met: frozenset[Time] = frozenset()

    def holds(self, leaf: Leaf) -> bool:
        """Whether the leaf holds at this point."""
        match leaf:
            case After(when):
                return when in self.passed
            case Before(when):
                return when not in self.passed
            case ProviderSignsResult():
                return self.result_hash is not None
            case ResultHashIs(result_hash):
                return self.result_hash == result_hash
            case DeliveredWithin(by):
                return by in self.met
            case _:
                return leaf in self.happened

    def after(self, event: Event, terms: Terms) -> Progress:
        """The same, and then this has happened."""
        match event:
            case Time() | SinceDelivery() | Height():
                return replace(self, passed=self.passed | {event})
            case Delivery(result_hash):
                met = frozenset(time for time in terms.times if time not in self.passed)
                return replace(self, result_hash=result_hash, met=met)
            case _:
                return replace(self, happened=self.happened | {event})


@dataclass(frozen=True, slots=True)
class Dated:
    """An event with its moment, outages taken into account."""

    at: datetime
    event: Event


def history(terms: Terms, facts: Facts, now: datetime, height: int, pauses: Iterable[Pause]) -> list[Dated]:
    """All that has a moment, in the order that decides: the past, and what comes by time alone.

    A height that is reached and has no recorded moment is reached now.
    """
    dated = [Dated(at, when) for when, at in clock(terms, facts, pauses).items()]
    for each in terms.heights:
        reached_at = facts.heights.get(each.height, now if each.height <= height else None)
        if reached_at is not None:
            dated.append(Dated(reached_at, each))
    if facts.delivery is not None:
        dated.append(Dated(facts.delivery.at, facts.delivery))
    for fact in terms.facts:
        moment = moment_of(fact, facts)
        if moment is not None:
            dated.append(Dated(moment, fact))
    return sorted(dated, key=_order)  # the sort is stable: facts of one moment stay in the order of the terms


def clock(terms: Terms, facts: Facts, pauses: Iterable[Pause]) -> dict[Time | SinceDelivery, datetime]:
    """When each moment of the terms comes by time alone; those since the delivery only once there is one."""
    known = list(pauses)
    found: dict[Time | SinceDelivery, datetime] = {
        time: extended(time.at, terms.created_at, known) for time in terms.times
    }
    if facts.delivery is not None:
        for window in terms.windows:
            delivered = facts.delivery.at
            found[window] = extended(delivered + timedelta(hours=window.hours), delivered, known)
    return found


def _order(dated: Dated) -> tuple[datetime, int, int]:
    event = dated.event
    rank = _RANKS.index(type(event)) if type(event) in _RANKS else len(_RANKS)
    within = (
        event.hours if isinstance(event, SinceDelivery) else event.height if isinstance(event, Height) else 0
    )
    return dated.at, rank, within
