"""The Flask extensions, not tied to an app, and the database settings that every engine gets."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from flask_limiter._limits import RuntimeLimit
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session

SQLITE_BUSY_TIMEOUT_MS = 15_000


class Base(DeclarativeBase):
    """Base of all models. Constraints have fixed names, so that migrations can speak of them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# Rows stay readable after a commit: a view renders what it has just written.
SESSION_OPTIONS: dict[str, Any] = {"expire_on_commit": False}

db = SQLAlchemy(model_class=Base, session_options=dict(SESSION_OPTIONS))


class _LoginManager(LoginManager):  # type: ignore[misc]  # it has no types
    def _update_remember_cookie(self, response: Any) -> Any:
        """Nothing is to be remembered: sessions are rows of ours. It would open the session of every request."""
        return response


login_manager = _LoginManager()
csrf = CSRFProtect()


class RateLimiter(Limiter):
    """Flask-Limiter, which works out for each request which of all limits count, and may be told that it is one."""

    find_only_limit: Callable[[], RuntimeLimit | None] = staticmethod(lambda: None)
    """The limit that alone counts for the present request ahead of its view, shared by all that it counts for."""

    find_place: Callable[[], RequestLimit | None] = staticmethod(lambda: None)
    """The place below that limit that the present request has taken already."""

    @property
    def is_counting(self) -> bool:
        """Whether requests are counted where everybody counts them: not while that storage is away."""
        return bool(self.enabled) and not self._storage_dead

    def take_place(self, only: RuntimeLimit, whom: str) -> RequestLimit | None:
        """Count a request of somebody: its place, which is `breached` when there was none left.

        None when the storage is away: then the library knows what to do.
        """
        names = [whom, str(only.scope)]
        try:
            has_place = self.limiter.hit(only.limit, *names)
            # For the headers. Those are written when all is done, and must not fail any more.
            window = self.limiter.get_window_stats(only.limit, *names)
        except self.storage.base_exceptions:
            return None
        place = RequestLimit(self, only.limit, names, breached=not has_place, shared=True)
        place._window = window
        return place

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        only = self.find_only_limit() if in_middleware and self.is_counting else None
        place = None if only is None else self.find_place() or self.take_place(only, only.key_func())
        if only is None or place is None:
            super()._check_request_limit(callable_name, in_middleware)
            return
        self.context.view_rate_limit, self.context.view_rate_limits = place, [place]
        if place.breached:
            raise RateLimitExceeded(only)


limiter = RateLimiter(key_func=get_remote_address)


class UnguardedWriteError(RuntimeError):
    """Something was about to be written outside a unit of work; see `services/unit_of_work.py`."""


def prepare_engine(engine: Engine) -> Engine:
    """Give an engine what money needs of its database. Does nothing to an engine that has it.

    SQLite: WAL, every commit on the disk, foreign keys, and BEGIN stated by us: the driver's own BEGIN loses
    concurrent updates without an error. Reads begin DEFERRED; a unit of work asks for IMMEDIATE, because a
    transaction that reads first cannot wait for its turn to write. PostgreSQL: a connection that the server has ended
    is replaced before it is used.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _configure_sqlite):
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    if engine.dialect.name == "postgresql" and not event.contains(engine, "checkout", _refuse_ended):
        event.listen(engine, "checkout", _refuse_ended)
    return engine


def _refuse_ended(connection: Any, record: Any, _proxy: Any) -> None:
    """Raise DisconnectionError for a connection that is not to be used again; the pool then makes another.

    One that was just made is not looked at.
    """
    if not record.info.setdefault("was_used", False):
        record.info["was_used"] = True
    elif has_ended(connection):
        raise DisconnectionError("the server has ended this connection")


def has_ended(connection: Any) -> bool:
    """Whether the PostgreSQL server has ended a driver's connection that waits for no answer.

    A server that has nothing to answer says nothing, unless it takes its leave: so bytes that wait, or an end, are
    reason enough, and nobody needs to ask it.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # else INSERT OR REPLACE would delete rows that a trigger protects
        "temp_store=MEMORY",  # what a savepoint may have to undo is kept in a file otherwise, made and removed for it
        f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@event.listens_for(Session, "before_flush")
def _refuse_unguarded_writes(session: Session, _context: Any, _instances: Any) -> None:
    is_dirty = session.new or session.deleted or any(session.is_modified(row) for row in session.dirty)
    if is_dirty and not session.info.get("unit_of_work"):
        raise UnguardedWriteError("write inside `with unit_of_work(session):`")
