"""Many rows in one statement: PostgreSQL takes each column as an array, SQLite one row after the other in its driver.

A parameter for each value of a thousand rows would cost more to send than to store. An array is one parameter, written
as text, and PostgreSQL makes a table of several (`unnest`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    String,
    Text,
    bindparam,
    cast,
    func,
    insert,
    inspect,
    literal,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from webapp.domain.clock import to_rfc3339
from webapp.domain.money import Amount
from webapp.extensions import Base

SQLITE = "sqlite"
Rows = Sequence[Mapping[str, Any]]


def insert_rows(connection: Connection, model: type[Base], rows: Rows) -> None:
    """Insert all of them; every row names the same columns, and those that it does not name have no default here."""
    if not rows:
        return
    if connection.dialect.name == SQLITE:
        connection.execute(insert(model.__table__), rows)  # type: ignore[arg-type]
    else:
        connection.execute(_insertion(model, tuple(rows[0])), as_arrays("rows", rows))


def row_of(instance: Base) -> dict[str, Any]:
    """The columns of an object that no session has, but for the number that the database gives it."""
    mapper: Any = inspect(type(instance))
    return {each.key: getattr(instance, each.key) for each in mapper.column_attrs if each.key != "id"}


@cache
def _insertion(model: type[Base], names: tuple[str, ...]) -> Insert:
    table: Any = model.__table__
    given = table_of("rows", {name: table.c[name].type for name in names})
    return insert(table).from_select(names, select(given), include_defaults=False)


def table_of(parameter: str, columns: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """The rows that are sent by `as_arrays` under this name, as a table with these columns. PostgreSQL only."""
    arrays = (
        # As text without a length: what is too long for its column is refused there, and not cut off here.
        cast(_parameter(parameter, name), ARRAY(Text() if isinstance(kind, String) else kind))
        for name, kind in columns.items()
    )
    return func.unnest(*arrays).table_valued(*columns, name=f"given_{parameter}").render_derived()


def as_arrays(parameter: str, rows: Rows) -> dict[str, str]:
    """The parameters of `table_of` for these rows."""
    return {f"{parameter}_{name}": _array([row[name] for row in rows]) for name in rows[0]}


def among(
    connection: Connection, values: InstrumentedAttribute[Any], wanted: Collection[Any]
) -> ColumnElement[bool]:
    """Whether a column has one of these values, which are numbers or ids: one parameter for all of them."""
    if connection.dialect.name == SQLITE:
        return values.in_(wanted)
    # A table, so that it is joined: of an array each row of the table would go through all of it.
    return values.in_(select(func.unnest(cast(literal(_array(wanted), Text), ARRAY(values.type)))))


def _parameter(parameter: str, name: str) -> ColumnElement[str]:
    return bindparam(f"{parameter}_{name}", type_=Text)


def _array(values: Collection[Any]) -> str:
    kinds = {*map(type, values)}
    if kinds == {str}:
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * len(values) - 2:  # those in between, and no other
            return f'{{"{joined}"}}'
    if len(kinds) == 1:
        return f"{{{','.join(map(_ELEMENTS[kinds.pop()], values))}}}"
    return f"{{{','.join([_ELEMENTS[type(value)](value) for value in values])}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_as_json = json.JSONEncoder(ensure_ascii=False).encode
# How PostgreSQL reads an element of an array from text, by the kinds that columns of many rows have.
_ELEMENTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    bool: lambda value: "t" if value else "f",
    int: str,
    str: _quoted,
    Amount: lambda amount: str(amount.base_units),
    uuid.UUID: str,
    datetime: lambda moment: str(to_rfc3339(moment)),
    dict: lambda document: _quoted(_as_json(document)),
}
