"""How far the chain was read, who may write what is read now, and whether the daemon knows as much as we do.

Each reading takes a number before it asks the daemon. Only the newest number may write: what a reading with an older
one saw may be the past, and must not undo what a newer one has done.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import ChainCursor
from webapp.models.insert_once import insert_once
from webapp.services.daemon.answers import Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.unit_of_work import unit_of_work

# What lies deeper is not asked about any more.
WATCH_DEPTH = 250
_ID = 1


class NewerReadingError(Exception):
    """Another worker has begun to read after this one; what this one saw is not to be written any more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading: its number, and what was read before it. The texts are empty, and the height zero, at the first."""

    number: int
    since_block: str
    tip_hash: str
    tip_height: int


def begin(session: Session) -> Reading:
    """Take the next number."""
    first = {"id": _ID, "since_block": "", "tip_hash": "", "tip_height": 0, "pass_number": 0}
    with unit_of_work(session):
        insert_once(session, ChainCursor, {**first, "read_at": utcnow()})
        row = session.execute(
            update(ChainCursor)
            .where(ChainCursor.id == _ID)
            .values(pass_number=ChainCursor.pass_number + 1)
            .returning(
                ChainCursor.pass_number,
                ChainCursor.since_block,
                ChainCursor.tip_hash,
                ChainCursor.tip_height,
            )
            .execution_options(synchronize_session=False)
        ).one()
    return Reading(row.pass_number, row.since_block, row.tip_hash, row.tip_height)


def require_newest(session: Session, reading: Reading) -> None:
    """Inside a unit of work: raise NewerReadingError if another reading has begun. Until its end none can."""
    number = select(ChainCursor.pass_number).where(ChainCursor.id == _ID).with_for_update()
    if session.execute(number).scalar_one() != reading.number:
        raise NewerReadingError


def save(session: Session, reading: Reading, since_block: str, tip: Tip) -> None:
    """Note in the caller's unit of work how far it came. Raises NewerReadingError."""
    require_newest(session, reading)
    values = {"since_block": since_block, "tip_hash": tip.hash, "tip_height": tip.height, "read_at": utcnow()}
    statement = update(ChainCursor).where(ChainCursor.id == _ID).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))


def read_so_far(session: Session) -> Tip | None:
    """The last block that was read, or None. Ends the session's transaction."""
    cursor = session.get(ChainCursor, _ID, populate_existing=True)
    tip = Tip(cursor.tip_height, cursor.tip_hash) if cursor and cursor.tip_hash else None
    session.commit()
    return tip


def is_behind(daemon: DaemonWallet, tip: Tip, last: Tip | None) -> bool:
    """Whether a daemon at `tip` is still reading the chain to `last`. A shorter chain may also mean undone blocks."""
    if last is None or tip.height >= last.height:
        return False
    return daemon.block_header(last.hash) is None or daemon.is_catching_up()
