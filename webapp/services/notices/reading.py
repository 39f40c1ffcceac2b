"""One step through rows that are only ever added: read what is new, and tell it together with the new place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.services.notices.book import Draft, told_together, write
from webapp.services.notices.cursor import Cursor
from webapp.services.unit_of_work import unit_of_work

BATCH = 1000


def read_on(
    session: Session,
    cursor: Cursor,
    statement: Select[*tuple[Any, ...]],
    number: InstrumentedAttribute[int],
    drafts_of: Callable[[Sequence[Row[Any]]], list[Draft]],
) -> bool:
    """Tell what is new, once. True when there may be more. `statement` has the number as its `id`.

    Nothing is locked while it is read. Of two readers at the same place only one writes.
    """
    place = cursor.look()
    unseen = statement.where(place.is_unseen(number)).order_by(number).limit(BATCH)
    rows = session.execute(unseen).all()
    is_all = len(rows) < BATCH
    after = place.after([row.id for row in rows], is_all, cursor.fence())
    drafts = told_together(drafts_of(rows)) if rows else []
    session.commit()
    if after != place:
        with unit_of_work(session):
            if cursor.move(place, after):
                write(session, drafts)
    return not is_all
