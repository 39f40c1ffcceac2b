"""From which posting on a moment has come: postings are numbered nearly as time goes by. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, case, cast, func, select
from sqlalchemy.orm import Session

from webapp.models import JournalEntry, Posting


def first_from(session: Session, moment: datetime) -> int:
    """A number below which every posting was made before the moment, but for those that were numbered out of turn.

    Transactions that run at the same time, and hosts whose clocks differ, number out of turn: whoever asks takes a
    moment that is earlier or later by more than that.
    """
    return int(session.execute(_FIRST, {"moment": moment}).scalar_one())


def _halving() -> Any:
    """One statement that looks at one posting of each half that is left."""
    highest = select(func.coalesce(func.max(Posting.id), 0) + 1).scalar_subquery()
    halves = select(cast(0, BigInteger).label("low"), highest.label("high")).cte("halves", recursive=True)
    middle = (halves.c.low + halves.c.high) // 2
    made_at = (
        select(JournalEntry.created_at)
        .join(Posting, Posting.journal_entry_id == JournalEntry.id)
        .where(Posting.id >= middle)
        .order_by(Posting.id)
        .limit(1)
        .scalar_subquery()
    )
    is_before = made_at < bindparam("moment", type_=JournalEntry.created_at.type)
    narrower = select(
        case((is_before, middle + 1), else_=halves.c.low), case((is_before, halves.c.high), else_=middle)
    ).where(halves.c.low < halves.c.high)
    found = halves.union_all(narrower)
    return select(func.max(found.c.low))


_FIRST = _halving()
