"""Waking those who wait for changes, once these are committed.

On PostgreSQL by a word on a channel, in a transaction of its own: commits that carry a word wait for each other's disk
writes, which made them four times slower. If the word is lost nothing is: whoever waits looks by himself, a little
later. SQLite needs none: the version of its file says that somebody has committed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import ORMExecuteState, Session

from webapp.models import ChainTransaction, Deposit, EscrowTransaction, Payout, Posting

CHANNEL = "duxos_live"

# All that pages show by themselves is derived from these; see `reader`.
_WATCHED = (EscrowTransaction, Posting, Payout, Deposit, ChainTransaction)
_MARK = "has_news"


def announce(session: Session) -> None:
    """After a unit of work: wake everybody if it has changed what is watched. Does not fail: the work is done."""
    engine = session.get_bind().engine
    if not session.info.pop(_MARK, False) or engine.dialect.name != "postgresql":
        return
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(select(func.pg_notify(CHANNEL, "")))
    except (DBAPIError, PoolTimeoutError):
        return


@event.listens_for(Session, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    if not state.is_select and state.bind_mapper is not None and state.bind_mapper.class_ in _WATCHED:
        state.session.info[_MARK] = True


@event.listens_for(Session, "before_flush")
def _note_rows(session: Session, _context: Any, _instances: Any) -> None:
    if any(isinstance(row, _WATCHED) for row in (*session.new, *session.dirty)):
        session.info[_MARK] = True
