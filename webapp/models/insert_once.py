"""Insert a row unless one with the same key stands: the database decides who was first."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Insert, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.extensions import Base


def insert_once(
    session: Session, model: type[Base], values: dict[str, Any], returning: Any = None
) -> Any | None:
    """Insert `values` into the model's table. None when a unique key already stands, else the `returning` column.

    Without `returning` the answer for an inserted row is True. On PostgreSQL it waits for an unfinished transaction
    that inserts the same key.
    """
    session.flush()  # what waits in the session comes first, as with the session's own statements
    connection = session.connection()
    statement = _statement(model, connection.dialect.name, returning.key if returning is not None else None)
    row = connection.execute(statement, values).first()
    if row is None:
        return None
    return row[0] if returning is not None else True


@cache
def _statement(model: type[Base], dialect: str, returning: str | None) -> Insert:
    """Put together once: the values are its parameters."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    mapper: Any = inspect(model)
    column = mapper.columns[returning] if returning else next(iter(mapper.primary_key))
    return insert(mapper.local_table).on_conflict_do_nothing().returning(column)
