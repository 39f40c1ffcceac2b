"""How far a table that only grows has been told, so that nothing is left out and nothing is told again.

PostgreSQL hands out numbers before the commit: a lower one may appear after a higher one. What is missing below the
highest number is therefore kept as a gap, until every transaction that was under way when it was noticed has ended.
Who has a number without having begun a transaction yet has a few seconds more. SQLite hands out numbers to one writer
at a time, in the order of commits, and has no gaps that anybody could fill later.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import BigInteger, Text

from webapp.models import NoticeCursor
from webapp.models.compare_and_set import changes_one_row
from webapp.models.insert_once import insert_once
from webapp.services.unit_of_work import unit_of_work

PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers from `first` to `last` of which nothing was seen. No transaction from `fence` on can be theirs."""

    first: int
    last: int
    fence: int
    noted_at: int

    def is_over(self, ended_below: int, now: int) -> bool:
        """Whether nobody can fill it any more: every transaction below `ended_below` has ended."""
        return self.fence <= ended_below and now - self.noted_at >= PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader is: `position` is the highest number seen. `ended_below` is asked before rows are read."""

    position: int
    gaps: tuple[Gap, ...]
    version: int
    ended_below: int | None

    def is_unseen(self, number: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """True for the rows that have not been seen."""
        return or_(number > self.position, *(number.between(gap.first, gap.last) for gap in self.gaps))

    def after(self, seen: Sequence[int], is_all: bool, fence: int | None) -> Place:
        """Where the reader is having seen these numbers, lowest first; `is_all`: there are no further ones now.

        `fence` is the next transaction's number, asked after the rows were read; None where there are no gaps.
        """
        highest = max(self.position, seen[-1] if seen else 0)
        if fence is None or self.ended_below is None:
            return Place(highest, (), self.version, None)
        now = int(time.time())
        left = [
            Gap(first, last, gap.fence, gap.noted_at)
            for gap in self.gaps
            for first, last in _missing(gap.first, gap.last, seen)
        ]
        kept = [gap for gap in left if not (is_all and gap.is_over(self.ended_below, now))]
        new = [Gap(first, last, fence, now) for first, last in _missing(self.position + 1, highest, seen)]
        return Place(highest, tuple(kept + new), self.version, self.ended_below)

    def at(self, position: int) -> Place:
        """The same with another position, for events that are found by their time."""
        return replace(self, position=position)


class Cursor:
    """The place of one kind of event in the database."""

    def __init__(self, session: Session, source: str) -> None:
        self._session = session
        self._source = source

    def look(self) -> Place:
        """Where the last reader was; at the beginning, if there was none."""
        statement = select(NoticeCursor).where(NoticeCursor.source == self._source)
        row = self._session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
        if row is None:
            with unit_of_work(self._session):
                insert_once(self._session, NoticeCursor, {"source": self._source})
            return self.look()
        gaps = tuple(Gap(*numbers) for numbers in row.gaps)
        return Place(row.position, gaps, row.version, self._transaction("xmin"))

    def fence(self) -> int | None:
        """The number of the next transaction; None where numbers appear in their order."""
        return self._transaction("xmax")

    def move(self, before: Place, after: Place) -> bool:
        """Take the new place in the caller's unit of work; False when another reader was quicker."""
        gaps = [[gap.first, gap.last, gap.fence, gap.noted_at] for gap in after.gaps]
        return changes_one_row(
            self._session,
            update(NoticeCursor)
            .where(NoticeCursor.source == self._source, NoticeCursor.version == before.version)
            .values(position=after.position, gaps=gaps, version=before.version + 1),
        )

    def _transaction(self, end: str) -> int | None:
        if self._session.get_bind().dialect.name != "postgresql":
            return None
        number = getattr(func, f"pg_snapshot_{end}")(func.pg_current_snapshot())
        found: int = self._session.execute(select(number.cast(Text).cast(BigInteger))).scalar_one()
        return found


def _missing(first: int, last: int, seen: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches from `first` to `last` without the seen numbers, which are in their order."""
    stretches, start = [], first
    for number in seen[bisect_left(seen, first) : bisect_right(seen, last)]:
        if start < number:
            stretches.append((start, number - 1))
        start = number + 1
    return [*stretches, (start, last)] if start <= last else stretches
