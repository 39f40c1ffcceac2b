"""Pooled accounts: a checkpoint plus the postings after it, so that no row is updated by every escrow.

The worker folds postings into the checkpoints. On PostgreSQL ids are given out before they are committed; a fold
therefore goes only as far as every transaction that could own a smaller id has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ScalarSelect,
    cast,
    func,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from webapp.domain.accounts import POOLED
from webapp.domain.clock import utcnow
from webapp.models import AccountCheckpoint, Posting
from webapp.models.insert_once import insert_once
from webapp.models.types import Total


@dataclass(frozen=True, slots=True)
class Totals:
    """Base units that ever came into and went out of an account."""

    total_in: int
    total_out: int

    @property
    def balance(self) -> int:
        """What is in the account; negative for `chain` and `losses`."""
        return self.total_in - self.total_out


def totals(session: Session, account: str) -> Totals:
    """The account's totals at one moment.

    The checkpoint is read first: what it has is final, so another one that is folded meanwhile changes nothing, and the
    database is told from which posting on it has to look.
    """
    checkpoint = AccountCheckpoint
    row = session.execute(
        select(checkpoint.total_in, checkpoint.total_out, checkpoint.last_posting_id).where(
            checkpoint.account == account
        )
    ).first()
    total_in, total_out, after = row or (0, 0, 0)
    came_in, went_out = session.execute(
        select(
            _sum_where(Posting.destination == account, Posting.id > after),
            _sum_where(Posting.source == account, Posting.id > after),
        )
    ).one()
    return Totals(int(total_in) + int(came_in), int(total_out) + int(went_out))


def balance(session: Session, account: str) -> int:
    """The account's balance in base units."""
    return totals(session, account).balance


def lock(session: Session, account: str) -> None:
    """Wait for others who take from a pooled account, to see what they leave. Who adds to it waits for nobody."""
    _ensure_checkpoint(session, account)
    session.execute(
        select(AccountCheckpoint.account).where(AccountCheckpoint.account == account).with_for_update()
    )


@dataclass(frozen=True, slots=True)
class Horizon:
    """A posting id, and the transaction number that every running transaction must have passed to make it final."""

    posting_id: int
    transaction_number: int


def horizon(session: Session) -> Horizon:
    """How far a fold may go once the transactions that run at this moment have ended. Ask before the unit of work."""
    highest = select(func.coalesce(func.max(Posting.id), 0))
    if session.connection().dialect.name == "sqlite":
        return Horizon(session.execute(highest).scalar_one(), 0)
    # Whoever owns a smaller id than one that is visible drew it earlier, and had its transaction number before that:
    # the journal entry is written ahead of its postings.
    number = text("pg_snapshot_xmax(pg_current_snapshot())::text")
    row = session.execute(highest.add_columns(number)).one()
    return Horizon(row[0], int(row[1]))


def fold(session: Session, horizon: Horizon) -> bool:
    """Move the checkpoints to the horizon inside the caller's unit of work. False when it is not final yet."""
    if session.connection().dialect.name != "sqlite":
        oldest = session.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")).scalar_one()
        if int(oldest) < horizon.transaction_number:
            return False
    for account in POOLED:
        _ensure_checkpoint(session, account)
        _fold_account(session, account, horizon.posting_id)
    return True


def _ensure_checkpoint(session: Session, account: str) -> None:
    values = {"account": account, "total_in": 0, "total_out": 0, "last_posting_id": 0, "folded_at": utcnow()}
    insert_once(session, AccountCheckpoint, values)


def _fold_account(session: Session, account: str, posting_id: int) -> None:
    row = session.execute(
        select(AccountCheckpoint).where(AccountCheckpoint.account == account).with_for_update()
    ).scalar_one()
    if posting_id <= row.last_posting_id:
        return
    between = (Posting.id > row.last_posting_id, Posting.id <= posting_id)
    came_in, went_out = session.execute(
        select(
            _sum_where(Posting.destination == account, *between),
            _sum_where(Posting.source == account, *between),
        )
    ).one()
    session.execute(
        update(AccountCheckpoint)
        .where(AccountCheckpoint.account == account)
        .values(
            total_in=int(row.total_in) + int(came_in),
            total_out=int(row.total_out) + int(went_out),
            last_posting_id=posting_id,
            folded_at=utcnow(),
        )
    )


def _sum_where(*conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    amount = type_coerce(Posting.amount, BigInteger)
    return select(func.coalesce(cast(func.sum(amount), Total), 0)).where(*conditions).scalar_subquery()
