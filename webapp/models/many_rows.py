"""Many rows in one statement: PostgreSQL takes them as one JSON document, SQLite one after the other in its driver.

A parameter for each value of a thousand rows would cost more to send than to store. A document costs one, and
PostgreSQL makes a table of it (`json_to_recordset`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

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
        connection.execute(_insertion(model, tuple(rows[0])), {"rows": as_document(rows)})


@cache
def _insertion(model: type[Base], names: tuple[str, ...]) -> Insert:
    table: Any = model.__table__
    given = table_of("rows", {name: table.c[name].type for name in names})
    return insert(table).from_select(names, select(given), include_defaults=False)


def table_of(parameter: str, columns: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """The rows of a document that is sent under this parameter, as a table with these columns. PostgreSQL only."""
    document = cast(bindparam(parameter, type_=Text), JSON)
    described = (column(name, kind) for name, kind in columns.items())
    rows = func.json_to_recordset(document).table_valued(*described, name=f"given_{parameter}")
    return rows.render_derived(with_types=True)


def as_document(rows: Rows) -> str:
    """The rows as `table_of` reads them."""
    return _ENCODER.encode(rows)


def among(
    connection: Connection, values: InstrumentedAttribute[Any], wanted: Collection[Any]
) -> ColumnElement[bool]:
    """Whether a column has one of these values, which are numbers or ids: one parameter for all of them."""
    if connection.dialect.name == SQLITE:
        return values.in_(wanted)
    listed = literal(f"{{{','.join(map(str, wanted))}}}", Text)
    # A table, so that it is joined: of an array each row of the table would go through all of it.
    return values.in_(select(func.unnest(cast(listed, ARRAY(values.type)))))


def _plain(value: Any) -> Any:
    return _PLAIN[type(value)](value)


_PLAIN: dict[type, Callable[[Any], Any]] = {
    Amount: attrgetter("base_units"),
    uuid.UUID: str,
    datetime: datetime.isoformat,
}
# Rows hold no rows, so nobody has to look for circles.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, default=_plain)
