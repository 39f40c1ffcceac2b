"""Change a row only if it is still what it was: the database decides which of several callers was first."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session

from webapp.extensions import Base


def changes_one_row(session: Session, statement: Update | Delete) -> bool:
    """Run an UPDATE or DELETE whose WHERE states what must still hold. Whether it changed exactly one row.

    Objects in the session keep what they had read: refresh those that are needed afterwards.
    """
    unsynchronized = statement.execution_options(synchronize_session=False)
    result = cast("CursorResult[Any]", session.execute(unsynchronized))
    return result.rowcount == 1


def changes_this_row(session: Session, row: Base, statement: Update) -> bool:
    """`changes_one_row` for the row of an object, which has afterwards what the database has, changed or not."""
    options = {"synchronize_session": False, "populate_existing": True}
    returning = statement.returning(type(row)).execution_options(**options)
    if session.scalars(returning).one_or_none() is not None:
        return True
    session.refresh(row)
    return False
