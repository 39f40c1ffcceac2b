"""Statements that are put together once: their text as a database takes it, with their parameters in their order.

For the few statements that run so often that putting them together anew would cost more than the database takes for
them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import Dialect

from webapp.domain.money import Amount

POSTGRESQL, SQLITE = "postgresql", "sqlite"
# Numbered parameters, so that neither SQLAlchemy nor the driver has to look for them in the text.
_DIALECTS: dict[str, Dialect] = {
    POSTGRESQL: PGDialect_psycopg(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
    SQLITE: SQLiteDialect_pysqlite(paramstyle="named"),
}


class Form:
    """A statement as one kind of database takes it, with its parameters in their order and the kinds of its columns."""

    def __init__(self, statement: Any, dialect_name: str) -> None:
        dialect = _DIALECTS[dialect_name]
        compiled = statement.compile(dialect=dialect)
        self.text: str = compiled.string
        self._names = list(compiled.positiontup or compiled.params)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        # How a value becomes a parameter of SQLite, by the parameter's name; most are taken as they are.
        self.to_parameter = dict(compiled._bind_processors) if dialect_name == SQLITE else {}
        self._to_value = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.exported_columns
        ]

    def texts(self, values: Mapping[str, Any]) -> list[bytes | None]:
        """The parameters for PostgreSQL: all as text, so that the statement has one plan and not one for each size
        of numbers. Their types stand in the statement.
        """
        known = {**self._fixed, **values}
        return [_text(known[name]) for name in self._names]

    def natives(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters for SQLite, by name."""
        return converted(values, self.to_parameter)

    def with_fixed(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters for SQLite that are converted already, with those that the statement brings itself."""
        return {**parameters, **self._fixed} if self._fixed else parameters

    def values(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row of the driver with the values that the models' types give."""
        return tuple(
            value if change is None else change(value)
            for change, value in zip(self._to_value, row, strict=True)
        )


def converted(values: Mapping[str, Any], to_parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Values as parameters for SQLite."""
    changed = {name: change(values[name]) for name, change in to_parameter.items() if name in values}
    return {**values, **changed}


class PlainStatement:
    """A statement, put together once for each kind of database when it is needed first."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._forms: dict[str, Form] = {}

    def form(self, dialect_name: str) -> Form:
        """As this kind of database takes it."""
        if dialect_name not in self._forms:
            self._forms[dialect_name] = Form(self._statement, dialect_name)
        return self._forms[dialect_name]


def _text(value: Any) -> bytes | None:
    """As PostgreSQL reads it. It reads True and False, numbers and ids as Python writes them."""
    write = _WRITERS.get(type(value))
    return write(value) if write else _text_of_other(value)


def _text_of_other(value: Any) -> bytes | None:
    if value is None:
        return None
    return _text_of_str(value) if isinstance(value, str) else str(value).encode()


def _text_of_str(value: str) -> bytes:
    if "\0" in value:  # it would end the text for the driver's library, which refuses nothing
        raise psycopg.DataError("text for PostgreSQL cannot contain U+0000")
    return value.encode()


def _text_of_json(value: Any) -> bytes:
    return _AS_JSON.encode(value).encode()


_AS_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_WRITERS: dict[type, Callable[[Any], bytes]] = {
    str: _text_of_str,
    Amount: lambda amount: b"%d" % amount.base_units,
    datetime: lambda moment: moment.isoformat().encode(),
    dict: _text_of_json,
    list: _text_of_json,
}
