"""Waking those who wait for changes, once these are committed.

On PostgreSQL by a word on a channel, in a transaction of its own: commits that carry a word wait for each other's disk
writes, which made them four times slower. Whoever hears one waits a moment before he reads (`GATHER_SECONDS`), so
that a process needs to say no other until shortly before that moment is over. If the word is lost nothing is: whoever
waits looks by himself, a little later. SQLite needs none: the version of its file says that somebody has committed.
"""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, UpdateBase, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from webapp.models import (
    Alert,
    ChainTransaction,
    Deposit,
    EscrowTransaction,
    Notice,
    OperatorAction,
    Payout,
    PayoutHalt,
    Posting,
)
from webapp.models.plain_connection import plain_connection
from webapp.models.plain_statement import PlainStatement

CHANNEL = "duxos_live"

# All that pages show by themselves is derived from these; see `reader`.
_WATCHED = frozenset(
    model.__table__
    for model in (
        EscrowTransaction,
        Posting,
        Payout,
        Deposit,
        ChainTransaction,
        Notice,
        Alert,
        PayoutHalt,
        OperatorAction,
    )
)
_MARK = "has_news"
_WORD = PlainStatement(select(func.pg_notify(CHANNEL, "")))
GATHER_SECONDS = 0.05
_ENOUGH_SECONDS = GATHER_SECONDS * 0.8
_said_at: WeakKeyDictionary[Engine, float] = WeakKeyDictionary()


def take_news(session: Session) -> bool:
    """Whether what is watched has been written on the session's connection since this was asked last."""
    return bool(session.connection().info.pop(_MARK, False))


def announce(engine: Engine) -> None:
    """Wake everybody, after the commit of what is new. Does not fail: the work is done."""
    now = time.monotonic()
    if engine.dialect.name != "postgresql" or now - _said_at.get(engine, -1.0) < _ENOUGH_SECONDS:
        return
    _said_at[engine] = now
    try:
        with plain_connection(engine) as connection:
            connection.first(_WORD, {})
    except (DBAPIError, PoolTimeoutError):
        _said_at.pop(engine, None)


@event.listens_for(Engine, "before_execute")
def _note(connection: Connection, statement: Any, *_: Any) -> None:
    """Every statement comes by here, whoever has put it together."""
    if isinstance(statement, UpdateBase) and statement.table in _WATCHED:
        connection.info[_MARK] = True
