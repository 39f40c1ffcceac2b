"""Insert a row unless one with the same key stands: the database decides who was first."""

from __future__ import annotations

from collections.abc import Sequence
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


def insert_all_once(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert those of the rows whose unique keys do not stand yet; every row names the same columns."""
    session.flush()
    connection = session.connection()
    if rows:
        connection.execute(_statement(model, connection.dialect.name, None, is_returning=False), list(rows))


@cache
def _statement(
    model: type[Base], dialect: str, returning: str | None, *, is_returning: bool = True
) -> Insert:
    """Put together once: the values are its parameters."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    mapper: Any = inspect(model)
    column = mapper.columns[returning] if returning else next(iter(mapper.primary_key))
    statement = insert(mapper.local_table).on_conflict_do_nothing()
    return statement.returning(column) if is_returning else statement
