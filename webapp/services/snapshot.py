"""One view of the database for several queries: what they read belongs to the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


@contextmanager
def snapshot(session: Session) -> Iterator[Session]:
    """Read only, in a transaction of its own that is ended afterwards. Never call the daemon inside.

    SQLite shows one moment to every transaction; PostgreSQL has to be asked for it.
    """
    session.rollback()
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    try:
        yield session
    finally:
        session.rollback()
