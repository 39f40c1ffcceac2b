"""Insert a row unless one with the same key stands: the database decides who was first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect
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
    dialect = session.connection().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    column: Any = returning if returning is not None else next(iter(inspect(model).primary_key))
    row = session.execute(insert(model).values(**values).on_conflict_do_nothing().returning(column)).first()
    if row is None:
        return None
    return row[0] if returning is not None else True
