"""Change a row only if it is still what it was: the database decides which of several callers was first."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session


def changes_one_row(session: Session, statement: Update | Delete) -> bool:
    """Run an UPDATE or DELETE whose WHERE states what must still hold. Whether it changed exactly one row.

    Objects in the session keep what they had read: refresh those that are needed afterwards.
    """
    unsynchronized = statement.execution_options(synchronize_session=False)
    result = cast("CursorResult[Any]", session.execute(unsynchronized))
    return result.rowcount == 1
