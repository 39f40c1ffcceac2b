"""The first few escrows in an order, by one scan of an index for each side and state, put together. Reads only.

An OR over sides or states would read all that it finds and sort it; each of these scans stops after the first few.
States and counts are written out in a statement: only then can the planner see that a state is one of those that an
index is limited to, and that few rows are wanted. What else varies is a parameter: putting a statement together takes
longer than the database's answer, so callers keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Subquery, literal, select, union, union_all

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

    def part(self, count: int, skipped: int = 0) -> Select[Any]:
        """The ids and ranks of `count` of it."""
        ends = [column.desc() if self.is_falling else column.asc() for column in self.columns]
        shown = [Escrow.id.label("id"), *([] if self.rank is None else [self.rank.label("rank")])]
        found = select(*shown).where(*self.conditions).order_by(*ends).limit(_written_out(count))
        return select((found.offset(_written_out(skipped)) if skipped else found).subquery())


def is_in(status: Status | str) -> ColumnElement[bool]:
    """That an escrow is in this state."""
    return is_exactly(Escrow.status, Status(status).value)


def first_escrows(scans: Sequence[Scan], count: int) -> Select[Escrow]:
    """The first `count` of what the scans find together, each once, as they are now."""
    ids = _first(scans, count).subquery()
    found = select(Escrow).join(ids, ids.c.id == Escrow.id).order_by(*_order(ids, scans[0]))
    return found.execution_options(populate_existing=True)


def first_ids(scans: Sequence[Scan], count: int) -> Select[Any]:
    """The ids of the first `count` of what the scans find together, each once, in their order."""
    return _first(scans, count)


def nearest_end(scans: Sequence[Scan], count: int) -> Select[Any]:
    """Up to where all of the scans have been read when none has given more than `count`: rank, if any, and id.

    No row when none of them has so many.
    """
    parts = [scan.part(1, count - 1) for scan in scans]
    return _together(union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery(), scans[0], 1)


def _first(scans: Sequence[Scan], count: int) -> Select[Any]:
    parts = [scan.part(count) for scan in scans]
    # UNION drops what two scans found: between two wallets of one owner an escrow is on both sides.
    return _together((union(*parts) if len(parts) > 1 else parts[0]).subquery(), scans[0], count)


def _together(found: Subquery, scan: Scan, count: int) -> Select[Any]:
    return select(found).order_by(*_order(found, scan)).limit(_written_out(count))


def _order(found: Subquery, scan: Scan) -> list[Any]:
    columns = [found.c.id] if scan.rank is None else [found.c.rank, found.c.id]
    return [column.desc() if scan.is_falling else column.asc().nulls_last() for column in columns]


def _written_out(count: int) -> ColumnElement[int]:
    return literal(count, Integer, literal_execute=True)
