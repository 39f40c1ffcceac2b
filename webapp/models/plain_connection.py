"""A connection of an engine's pool, without SQLAlchemy's session and without the driver's transactions.

For the few statements that run so often that putting them together anew would cost more than the database takes for
them. Each is a transaction by itself unless `transaction` says otherwise.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.raw_cursor import RawCursor
from sqlalchemy import Engine, Executable, PoolProxiedConnection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import OperationalError

from webapp.domain.money import Amount

POSTGRESQL, SQLITE = "postgresql", "sqlite"
# Numbered parameters, so that neither SQLAlchemy nor the driver has to look for them in the text.
_DIALECTS: dict[str, Dialect] = {
    POSTGRESQL: PGDialect_psycopg(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
    SQLITE: SQLiteDialect_pysqlite(paramstyle="named"),
}
# The database refuses a change for what it would do, or for whom it would have to wait.
_REFUSALS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    sqlite3.IntegrityError,
)


class RefusedError(Exception):
    """The database refused a statement. It changed nothing."""


class Form:
    """A statement as one kind of database takes it, with its parameters in their order and the kinds of its columns."""

    def __init__(self, statement: Any, dialect_name: str) -> None:
        dialect = _DIALECTS[dialect_name]
        compiled = statement.compile(dialect=dialect)
        self.text: str = compiled.string
        self._names = list(compiled.positiontup or compiled.params)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._to_parameter = compiled._bind_processors if dialect_name == SQLITE else {}
        self._to_value = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in statement.exported_columns
        ]

    def texts(self, values: Mapping[str, Any]) -> list[str | None]:
        """The parameters for PostgreSQL: all as text, so that the statement has one plan and not one for each size
        of numbers. Their types stand in the statement.
        """
        known = {**self._fixed, **values}
        return [_text(known[name]) for name in self._names]

    def natives(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters for SQLite, by name."""
        known, change = {**self._fixed, **values}, self._to_parameter
        return {name: change[name](known[name]) if change.get(name) else known[name] for name in self._names}

    def values(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row of the driver with the values that the models' types give."""
        return tuple(
            value if change is None else change(value)
            for change, value in zip(self._to_value, row, strict=True)
        )


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


class PlainConnection:
    """What a connection can do. Raises RefusedError for what the database refuses, OperationalError when it is away."""

    def __init__(self, driver: Any, dialect_name: str) -> None:
        self._driver = driver
        self.dialect_name = dialect_name

    def first(self, statement: PlainStatement, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of a SELECT, with values as the models' types give them."""
        form = statement.form(self.dialect_name)
        row, _ = self.run(form, values)
        return None if row is None else form.values(row)

    def run(self, form: Form, values: Mapping[str, Any]) -> tuple[tuple[Any, ...] | None, int]:
        """The first row that a statement gives, as the driver has it, and how many it gives or changes."""
        with _worded(form.text, self._driver):
            if self.dialect_name == SQLITE:
                cursor = self._driver.execute(form.text, form.natives(values))
            else:
                cursor = RawCursor(self._driver)
                cursor.execute(form.text, form.texts(values), prepare=True)
            row = cursor.fetchone() if cursor.description else None
            return row, 1 if row is not None else cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements on SQLite as one change, which has the only write lock from its beginning."""
        with _worded("BEGIN IMMEDIATE"):
            self._driver.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A disk that is full may have ended the transaction already.
            if self._driver.in_transaction:
                with _worded("ROLLBACK"):
                    self._driver.execute("ROLLBACK")
            raise
        with _worded("COMMIT"):
            self._driver.execute("COMMIT")


@contextmanager
def plain_connection(engine: Engine) -> Iterator[PlainConnection]:
    """Borrow a connection of the engine's pool. Do not hold another one meanwhile: the pool is small.

    Raises OperationalError when the database is away.
    """
    with _worded("connect"):
        pooled = engine.raw_connection()
    driver: Any = pooled.driver_connection
    is_postgresql = engine.dialect.name == POSTGRESQL
    try:
        if is_postgresql:
            driver.autocommit = True
        yield PlainConnection(driver, engine.dialect.name)
    except OperationalError:
        pooled.invalidate()
        raise
    finally:
        if is_postgresql and pooled.is_valid:
            _end_autocommit(pooled, driver)
        pooled.close()


def _end_autocommit(pooled: PoolProxiedConnection, driver: Any) -> None:
    """What is in the middle of something, because its thread was interrupted, is not for anybody else."""
    if driver.info.transaction_status == TransactionStatus.IDLE:
        driver.autocommit = False
    else:
        pooled.invalidate()


@contextmanager
def _worded(statement: str, driver: Any = None) -> Iterator[None]:
    """The drivers' errors, as everybody else here knows them. Parameters are not told: they may be secrets."""
    try:
        yield
    except _REFUSALS as error:
        raise RefusedError(type(error).__name__) from error
    except (psycopg.OperationalError, sqlite3.OperationalError) as error:
        is_lost = bool(getattr(driver, "closed", False))
        raise OperationalError(
            statement, None, error, hide_parameters=True, connection_invalidated=is_lost
        ) from error


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Amount):
        return str(value.base_units)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value.isoformat() if isinstance(value, datetime) else str(value)
