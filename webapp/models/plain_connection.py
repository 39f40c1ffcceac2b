"""Connections for the statements of `plain_statement`: without a session, and each statement a transaction by itself.

They come from an engine and stay apart from its pool, so that nothing has to be done to one between two statements.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webapp.extensions import has_ended
from webapp.models.group_commit import GroupCommit, RefusedError
from webapp.models.plain_statement import SQLITE, Form, PlainStatement

# The database refuses a change for what it would do, or because others wait for it in a circle.
_REFUSALS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.DeadlockDetected,
    sqlite3.IntegrityError,
)
# Statements find their rows by whole keys, so that no value would make for a better plan. Text is sent as UTF-8.
_SETTINGS = "SET plan_cache_mode = force_generic_plan; SET client_encoding = 'UTF8'"
_ERRORS = (*_REFUSALS, psycopg.OperationalError, sqlite3.OperationalError)
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class PlainConnection:
    """What a connection can do. Raises RefusedError for what the database refuses, OperationalError when it is away."""

    def __init__(self, engine: Engine, turns: GroupCommit[PlainConnection]) -> None:
        try:
            pooled = engine.raw_connection()
        except _ERRORS as error:
            raise _worded("connect", error) from error
        driver: Any = pooled.driver_connection
        pooled.detach()
        self._driver = driver
        self._turns = turns
        self.dialect_name = engine.dialect.name
        self._prepared: dict[Form, bytes] = {}
        if self.dialect_name != SQLITE:
            self._prepare()

    def _prepare(self) -> None:
        self._driver.autocommit = True
        try:
            self._driver.execute(_SETTINGS)
        except _ERRORS as error:
            self.close()
            raise _worded("SET", error) from error

    def first(self, statement: PlainStatement, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of a SELECT, with values as the models' types give them."""
        form = statement.form(self.dialect_name)
        row, _ = self.run(form, values)
        return None if row is None else form.values(row)

    def run(self, form: Form, values: Mapping[str, Any]) -> tuple[tuple[Any, ...] | None, int]:
        """The first row that a statement gives, as the driver has it, and how many it gives or changes."""
        if self.dialect_name == SQLITE:
            return self.run_natively(form, form.natives(values))
        try:
            result = self._result(form, form.texts(values))
        except _ERRORS as error:
            raise _worded(form.text, error, self._driver) from error
        if not result.ntuples:
            return None, result.command_tuples or 0
        transformer = Transformer(self._driver)
        transformer.set_pgresult(result)
        return transformer.load_row(0, tuple), result.ntuples

    def run_natively(self, form: Form, parameters: dict[str, Any]) -> tuple[tuple[Any, ...] | None, int]:
        """The same on SQLite, with parameters as its driver takes them."""
        try:
            cursor = self._driver.execute(form.text, form.with_fixed(parameters))
            row = cursor.fetchone() if cursor.description else None
        except _ERRORS as error:
            raise _worded(form.text, error, self._driver) from error
        return row, 1 if row is not None else cursor.rowcount

    def change(self, work: Callable[[PlainConnection], None]) -> None:
        """Several statements on SQLite as one change; `work` gets the connection that runs them."""
        self._turns.run(self, work)

    def say(self, statement: str) -> None:
        """Begin or end something on SQLite. A disk that is full may have ended the transaction already."""
        if statement != "ROLLBACK" or self._driver.in_transaction:
            try:
                self._driver.execute(statement)
            except _ERRORS as error:
                raise _worded(statement, error, self._driver) from error

    def has_ended(self) -> bool:
        """Whether the server has ended it. SQLite has none."""
        return self.dialect_name != SQLITE and has_ended(self._driver)

    def close(self) -> None:
        """Close it for good."""
        self._driver.close()

    def _result(self, form: Form, parameters: list[bytes | None]) -> Any:
        """Through the driver's own library: its cursors do more than all the rest here, for what is not needed."""
        server = self._driver.pgconn
        if form not in self._prepared:
            name = f"plain_{len(self._prepared)}".encode()
            self._require_done(server.prepare(name, form.text.encode()))
            self._prepared[form] = name
        result = server.exec_prepared(self._prepared[form], parameters)
        self._require_done(result)
        return result

    def _require_done(self, result: Any) -> None:
        if result.status in _DONE:
            return
        error = psycopg.errors.error_from_result(result)
        if self._driver.pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError(str(error))
        raise error


class _Kept:
    """The connections of one engine, at most as many as its pool has. Those that nobody uses: the latest one first."""

    def __init__(self, engine: Engine) -> None:
        pool: Any = engine.pool
        self._turns: GroupCommit[PlainConnection] = GroupCommit()
        self._places = threading.BoundedSemaphore(pool.size() + max(pool._max_overflow, 0))
        self._patience_seconds = pool.timeout()
        self._idle: deque[PlainConnection] = deque()

    @contextmanager
    def borrowed(self, engine: Engine) -> Iterator[PlainConnection]:
        if not self._places.acquire(timeout=self._patience_seconds):
            raise PoolTimeoutError("every connection for plain statements is in use")
        try:
            connection = self._take() or PlainConnection(engine, self._turns)
            try:
                yield connection
            except RefusedError:
                self._idle.append(connection)
                raise
            except BaseException:
                connection.close()  # In what state it is nobody knows.
                raise
            self._idle.append(connection)
        finally:
            self._places.release()

    def _take(self) -> PlainConnection | None:
        with suppress(IndexError):  # there is none, or somebody was quicker
            while (connection := self._idle.pop()).has_ended():
                connection.close()
            return connection
        return None

    def close(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


_kept: weakref.WeakKeyDictionary[Engine, _Kept] = weakref.WeakKeyDictionary()


def plain_connection(engine: Engine) -> AbstractContextManager[PlainConnection]:
    """Borrow a connection. Hold no other one meanwhile: a new one comes through the engine's pool, which is small.

    Raises OperationalError when the database is away, and what the pool raises when there is none for too long.
    """
    return _kept_of(engine).borrowed(engine)


def _kept_of(engine: Engine) -> _Kept:
    if engine not in _kept:
        kept = _kept.setdefault(engine, _Kept(engine))
        weakref.finalize(engine, kept.close)
    return _kept[engine]


@event.listens_for(Engine, "engine_disposed")
def _dispose(engine: Engine) -> None:
    if engine in _kept:
        _kept[engine].close()


def _worded(statement: str, error: BaseException, driver: Any = None) -> Exception:
    """A driver's error, as everybody else here knows it. Parameters are not told: they may be secrets."""
    if isinstance(error, _REFUSALS):
        return RefusedError(type(error).__name__)
    is_lost = bool(getattr(driver, "closed", False))
    return OperationalError(statement, None, error, hide_parameters=True, connection_invalidated=is_lost)
