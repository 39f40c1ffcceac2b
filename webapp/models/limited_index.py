"""Indexes of a part of a table: rows outside it pay nothing for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Index, literal, text


def limited_index(*columns: str, where: str, name: str | None = None, is_unique: bool = False) -> Index:
    """An index of the rows that fulfil `where`, named after its columns unless it has a name.

    A query uses it when its own conditions say the same or more: `is_exactly` for a value, since that of a parameter
    is not known when a statement is planned.
    """
    return Index(name, *columns, unique=is_unique, sqlite_where=text(where), postgresql_where=text(where))


def is_exactly(column: Any, value: str) -> ColumnElement[bool]:
    """That the column has this value, which is written out in the statement."""
    return column == literal(value, column.type, literal_execute=True)  # type: ignore[no-any-return]
