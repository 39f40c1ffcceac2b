"""The Flask extensions, not tied to an app, and the database settings that every engine gets."""

from __future__ import annotations

from typing import Any

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Connection, Engine, MetaData, event
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
migrate = Migrate()
login_manager = LoginManager()
csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)


class UnguardedWriteError(RuntimeError):
    """Something was about to be written outside a unit of work; see `services/unit_of_work.py`."""


def prepare_engine(engine: Engine) -> Engine:
    """Give an engine what money needs of its database. Does nothing to an engine that has it.

    SQLite: WAL, every commit on the disk, foreign keys, and BEGIN stated by us: the driver's own BEGIN loses
    concurrent updates without an error. Reads begin DEFERRED; a unit of work asks for IMMEDIATE, because a
    transaction that reads first cannot wait for its turn to write.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _configure_sqlite):
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # else INSERT OR REPLACE would delete rows that a trigger protects
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
