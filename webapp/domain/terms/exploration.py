"""Every course that an escrow with terms can take, whoever does what and whenever: finitely many, and all are tried.

Between two moments of the terms it makes no difference when exactly something happens. For the delivery, from which
other moments count, the calendar is cut finer: at every moment, and as long before it as each window is. Within one
such stretch everything that comes by time has the same order, whatever the moment of the delivery. Outages do not
change that order, as they stop all clocks alike. Facts are taken as independent of each other, and heights as
independent of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from webapp.domain.terms.facts import Delivery
from webapp.domain.terms.language import After, Before, Fact, Height, Leaf, SinceDelivery, Terms, Time
from webapp.domain.terms.progress import Progress
from webapp.domain.terms.tables import START, Situation, Tables
from webapp.domain.terms.truth import truth

ANOTHER_HASH = "another"
"""Stands for a delivered hash that the terms do not name."""


class Kind(Enum):
    """What a course can come to that matters."""

    BOTH_DUE = auto()
    STRANDED = auto()
    RELEASED = auto()
    REFUNDED = auto()


@dataclass(frozen=True, slots=True)
class Witness:
    """A course: what has come, in any order. `delivered_after` is when the delivery is made, or later; None if any time
    will do. `now_passed` is the moment that comes last, None if it is something that somebody does.
    """

    progress: Progress
    situation: Situation
    delivered_after: datetime | None
    now_passed: Time | SinceDelivery | None


@dataclass
class Findings:
    """The first witness of each kind, and the latest moment at which time alone decides."""

    witnesses: dict[Kind, Witness] = field(default_factory=dict)
    latest_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the calendar, from `start` up to `end`. The last one has no end."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class _Point:
    """Where time has got to. `latest` is when it comes here at the latest; None if a delivery leads here, not time."""

    progress: Progress
    delivered_after: datetime | None
    passed: Time | SinceDelivery | None
    latest: datetime | None
    is_last: bool
    """Whether nothing more comes by time."""


def explore(terms: Terms) -> Findings:
    """Try every course."""
    return _Explorer(terms).explore()


class _Explorer:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._tables = Tables(terms)
        self._found = Findings()

    def explore(self) -> Findings:
        """Time goes on without a delivery, and in every stretch there may be one."""
        progress, waiting = Progress(), START
        for stretch in _stretches(self._terms):
            passed = next((time for time in self._terms.times if time.at == stretch.start), None)
            if passed is not None:
                progress = progress.after(passed, self._terms)
            waiting = self._settle(
                _Point(progress, None, passed, stretch.start, stretch.end is None), waiting
            )
            if waiting and self._terms.heeds_delivery:
                self._deliver(progress, waiting, stretch)
        return self._found

    def _deliver(self, before: Progress, waiting: int, stretch: _Stretch) -> None:
        """A delivery in this stretch, of each hash that makes a difference, and then time goes on."""
        since = stretch.start if stretch.start > self._terms.created_at else None
        coming = _coming(self._terms, stretch)
        for result_hash in (*self._terms.result_hashes, ANOTHER_HASH):
            progress = before.after(Delivery(result_hash, stretch.start), self._terms)
            left = self._settle(_Point(progress, since, None, None, not coming), waiting)
            for index, (when, latest) in enumerate(coming, start=1):
                progress = progress.after(when, self._terms)
                left = self._settle(_Point(progress, since, when, latest, index == len(coming)), left)

    def _settle(self, point: _Point, entering: int) -> int:
        """Note what becomes of the situations that come to this point, and of what can follow until time goes on.

        Returns the set that is still undecided when time goes on.
        """
        if not entering:
            return 0
        release, refund = self._due(point.progress)
        undecided = self._tables.everything & ~(release | refund)
        if point.latest is not None and entering & ~undecided:
            self._found.latest_end = max(point.latest, self._found.latest_end or point.latest)
        reached = self._tables.reach(entering, undecided)
        self._note(Kind.BOTH_DUE, entering & release & refund, point)
        self._note(Kind.BOTH_DUE, reached & release & refund, replace(point, passed=None))
        self._note(Kind.RELEASED, reached & release, point)
        self._note(Kind.REFUNDED, reached & refund, point)
        if point.is_last:
            self._note(Kind.STRANDED, entering & undecided, point)
        return reached & undecided

    def _note(self, kind: Kind, situations: int, point: _Point) -> None:
        if situations and kind not in self._found.witnesses:
            simplest = self._tables.simplest(situations)
            self._found.witnesses[kind] = Witness(
                point.progress, simplest, point.delivered_after, point.passed
            )

    def _due(self, progress: Progress) -> tuple[int, int]:
        """The situations in which each side is due at this point."""
        everything, having = self._tables.everything, self._tables.having

        def values(leaf: Leaf) -> int:
            match leaf:
                case After(Height() as height):
                    return having[height]
                case Before(Height() as height):
                    return everything & ~having[height]
                case _ if isinstance(leaf, Fact):
                    return having[leaf]
                case _:
                    return everything if progress.holds(leaf) else 0

        terms = self._terms
        refund = 0 if terms.refund_when is None else truth(terms.refund_when, values, everything)
        return truth(terms.release_when, values, everything), refund


def _stretches(terms: Terms) -> Iterator[_Stretch]:
    moments = {time.at for time in terms.times}
    cuts = moments | {moment - timedelta(hours=each.hours) for moment in moments for each in terms.windows}
    starts = [terms.created_at, *sorted(cut for cut in cuts if cut > terms.created_at)]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        yield _Stretch(start, end)


def _coming(terms: Terms, stretch: _Stretch) -> list[tuple[Time | SinceDelivery, datetime]]:
    """What time brings after a delivery in this stretch, in its order, each with the latest moment it can come."""
    until = stretch.end or stretch.start
    dated: list[tuple[datetime, int, Time | SinceDelivery, datetime]] = [
        (time.at, 0, time, time.at) for time in terms.times if time.at > stretch.start
    ]
    for each in terms.windows:
        window = timedelta(hours=each.hours)
        dated.append((stretch.start + window, 1, each, until + window))
    return [(when, latest) for _, _, when, latest in sorted(dated, key=lambda entry: entry[:2])]
