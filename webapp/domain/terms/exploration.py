"""Every course that an escrow with terms can take, whoever does what and whenever: finitely many, and all are tried.

Between two moments of the terms it makes no difference when exactly something happens. For the delivery, from which
other moments count, the calendar is cut finer: at every moment, and as long before it as each window is. Within one
such stretch everything that comes by time has the same order, whatever the moment of the delivery. Outages do not
change that order, as they stop all clocks alike. Facts are taken as independent of each other, and heights as
independent of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """A course: what has come, in any order; `delivered_after` is the moment since which the delivery was made.

    `now_passed` is the moment with which it came to this, None if that was something that somebody did.
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
            come = [time for time in self._terms.times if time.at == stretch.start]
            for time in come:
                progress = progress.after(time, self._terms)
            waiting = self._settle(progress, waiting, stretch, come[0] if come else None, stretch.start)
            if not waiting:
                break
            if self._terms.heeds_delivery:
                self._deliver(progress, waiting, stretch)
        return self._found

    def _deliver(self, before: Progress, waiting: int, stretch: _Stretch) -> None:
        """A delivery in this stretch, of each hash that makes a difference, and then time goes on."""
        for result_hash in (*self._terms.result_hashes, ANOTHER_HASH):
            progress = before.after(Delivery(result_hash, stretch.start), self._terms)
            coming = _coming(self._terms, stretch)
            left = self._settle(progress, waiting, stretch, None, None, is_last=not coming)
            for index, (when, latest) in enumerate(coming, start=1):
                if not left:
                    break
                progress = progress.after(when, self._terms)
                left = self._settle(progress, left, stretch, when, latest, is_last=index == len(coming))

    def _settle(
        self,
        progress: Progress,
        entering: int,
        stretch: _Stretch,
        passed: Time | SinceDelivery | None,
        latest: datetime | None,
        *,
        is_last: bool | None = None,
    ) -> int:
        """Note what becomes of the situations that come to this point, and what can follow until time goes on.

        Returns the set that is still undecided when time goes on. `latest` is when time brings them here at the
        latest; None if a delivery does.
        """
        release, refund = self._due(progress)
        undecided = self._tables.everything & ~(release | refund)
        if latest is not None and entering & ~undecided:
            self._found.latest_end = max(latest, self._found.latest_end or latest)
        reached = self._tables.reach(entering, undecided)
        at_once = entering & release & refund
        self._note(
            Kind.BOTH_DUE,
            at_once or reached & release & refund,
            progress,
            stretch,
            passed if at_once else None,
        )
        self._note(Kind.RELEASED, reached & release, progress, stretch, passed)
        self._note(Kind.REFUNDED, reached & refund, progress, stretch, passed)
        if stretch.end is None if is_last is None else is_last:
            self._note(Kind.STRANDED, entering & undecided, progress, stretch, passed)
        return reached & undecided

    def _note(
        self,
        kind: Kind,
        situations: int,
        progress: Progress,
        stretch: _Stretch,
        passed: Time | SinceDelivery | None,
    ) -> None:
        if situations and kind not in self._found.witnesses:
            is_delivered_late = progress.result_hash is not None and stretch.start > self._terms.created_at
            self._found.witnesses[kind] = Witness(
                progress,
                self._tables.simplest(situations),
                stretch.start if is_delivered_late else None,
                passed,
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
