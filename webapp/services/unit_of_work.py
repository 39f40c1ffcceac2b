"""One transaction per piece of work: state and ledger together, or neither.

The outermost unit of work commits, once; inner ones join it. On SQLite it takes the write lock at its beginning,
since a transaction that reads first could not wait for it later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, scoped_session

from webapp.services.live.announce import announce, take_news


def let_go(session: Session | scoped_session[Session]) -> None:
    """End what was read and give back the session's connection: the pool is small, and nobody holds two at once.

    A session that would begin only now has none.
    """
    if isinstance(session, scoped_session):
        if not session.registry.has():
            return
        session = session()
    if session.in_transaction():
        session.commit()


@contextmanager
def lone_write(session: Session) -> Iterator[Session]:
    """A unit of work for one write that nothing decides on which was read before: no money, no state.

    Where reads need no end before a write, on PostgreSQL, it goes on in their transaction: one commit, not two.
    """
    if session.get_bind().dialect.name == "sqlite" or session.info.get("unit_of_work"):
        with unit_of_work(session):
            yield session
        return
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Commit at the end, roll back on any error. Never call the daemon inside."""
    if session.info.get("unit_of_work"):
        yield session
        return
    # What was read before belongs to an older snapshot, and SQLite could not upgrade it to a write.
    session.commit()
    session.info["unit_of_work"] = True
    try:
        session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        take_news(session)  # what was written before may have been rolled back
        yield session
        session.flush()
        has_news = take_news(session)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["unit_of_work"] = False
    if has_news:
        announce(session.get_bind().engine)
