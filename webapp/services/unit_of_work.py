"""One transaction per piece of work: state and ledger together, or neither.

The outermost unit of work commits, once; inner ones join it. On SQLite it takes the write lock at its beginning,
since a transaction that reads first could not wait for it later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

_AFTER_COMMIT = "unit_of_work_after_commit"


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Commit at the end, roll back on any error. Never call the daemon inside."""
    if session.info.get("unit_of_work"):
        yield session
        return
    # What was read before belongs to an older snapshot, and SQLite could not upgrade it to a write.
    session.commit()
    session.info["unit_of_work"] = True
    session.info[_AFTER_COMMIT] = []
    try:
        session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        yield session
        session.commit()
    except BaseException:
        session.info.pop(_AFTER_COMMIT)
        session.rollback()
        raise
    finally:
        session.info["unit_of_work"] = False
    for action in session.info.pop(_AFTER_COMMIT):
        action()


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` when the running unit of work has committed; not at all when it fails."""
    session.info[_AFTER_COMMIT].append(action)
