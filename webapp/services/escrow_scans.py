"""The first few escrows in an order, by one scan of an index for each side and state, put together. Reads only.

An OR over sides or states would read all that it finds and sort it; each of these scans stops after the first few.
States and counts are written out in the statement: only then can the planner see that a state is one of those that an
index is limited to, and that few rows are wanted.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Subquery, literal, select, tuple_, union
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Status
from webapp.models import Escrow
from webapp.models.limited_index import is_exactly


@dataclass(frozen=True, slots=True)
class Scan:
    """A part of what is looked for, in its order: by the columns, of which the last one is the id.

    `rank` is what the parts are put together by before the id; None when the id alone is their order. It may be a
    NULL, which comes last.
    """

    conditions: tuple[ColumnElement[bool], ...]
    columns: tuple[Any, ...]
    rank: Any = None
    is_falling: bool = False

    def first(self, count: int) -> Select[Any]:
        """The ids and ranks of the first `count` of it."""
        ends = [column.desc() if self.is_falling else column.asc() for column in self.columns]
        found = select(*self._shown()).where(*self.conditions).order_by(*ends).limit(_written_out(count))
        return select(found.subquery())

    def beyond(self, key: tuple[Any, ...]) -> Scan:
        """Only what comes after the place with these values of the columns."""
        here = tuple_(*self.columns)
        there = tuple_(
            *(literal(value, column.type) for column, value in zip(self.columns, key, strict=True))
        )
        return replace(self, conditions=(*self.conditions, here < there if self.is_falling else here > there))

    def _shown(self) -> list[ColumnElement[Any]]:
        return (
            [Escrow.id.label("id")] if self.rank is None else [Escrow.id.label("id"), self.rank.label("rank")]
        )


def is_in(status: Status | str) -> ColumnElement[bool]:
    """That an escrow is in this state."""
    return is_exactly(Escrow.status, Status(status).value)


def first_escrows(session: Session, scans: Sequence[Scan], count: int) -> list[Escrow]:
    """The first `count` of what the scans find together, each once, as they are now."""
    if not scans:
        return []
    ids = first_ids(scans, count)
    statement = select(Escrow).join(ids, ids.c.id == Escrow.id).order_by(*_order(ids, scans[0]))
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def list_first_ids(session: Session, scans: Sequence[Scan], count: int) -> list[uuid.UUID]:
    """The ids of the first `count` of what the scans find together, in their order."""
    ids = first_ids(scans, count)
    return list(session.scalars(select(ids.c.id).order_by(*_order(ids, scans[0]))))


def first_ids(scans: Sequence[Scan], count: int) -> Subquery:
    """The ids of the first `count` of what the scans find, each once."""
    # UNION drops what two scans found: between two wallets of one owner an escrow is on both sides.
    parts = [scan.first(count) for scan in scans]
    found = (union(*parts) if len(parts) > 1 else parts[0]).subquery()
    return select(found).order_by(*_order(found, scans[0])).limit(_written_out(count)).subquery()


def _order(found: Subquery, scan: Scan) -> list[Any]:
    columns = [found.c.id] if scan.rank is None else [found.c.rank, found.c.id]
    return [column.desc() if scan.is_falling else column.asc().nulls_last() for column in columns]


def _written_out(count: int) -> ColumnElement[int]:
    return literal(count, Integer, literal_execute=True)
