"""The database's schema: made on first use, never changed behind the operator's back."""

from __future__ import annotations

import os

from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url

from webapp.commands import MIGRATIONS
from webapp.extensions import db

_LOCK_NUMBER = 0x44_55_58_4F_53


def create_if_missing(app: Flask) -> None:
    """Make the schema in a database that has no tables at all. One with an older schema is left alone.

    Several processes may start at once: one makes it, the others wait.
    """
    import flask_migrate  # a server whose schema is there does without

    with app.app_context():
        if inspect(db.engine).get_table_names():
            return
        if db.engine.dialect.name == "sqlite":
            flask_migrate.upgrade(str(MIGRATIONS))
            return
        with db.engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
            try:
                flask_migrate.upgrade(str(MIGRATIONS))
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK_NUMBER})


def make_sqlite_file(database_url: str) -> bool:
    """Make the SQLite file that the URL names, readable by its owner alone. False when there is one, or none is named.

    What SQLite puts beside it later has the same mode.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return False
    try:
        os.close(os.open(url.database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    return True


def newest_revision() -> str | None:
    """The revision that the code expects."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
