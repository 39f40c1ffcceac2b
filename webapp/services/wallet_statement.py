"""The statement of a wallet: every posting that touched it, with what was available after it. Reads only.

A wallet's row is locked before its postings get their ids, so the ids of one wallet follow the order in which its
balance changed: what was available after a posting never changes again. It is what is available now, less the changes
after it. Whoever calls has made sure that the wallet is the reader's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    cast,
    func,
    not_,
    or_,
    select,
    type_coerce,
    union,
)
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import first_moment_after, first_moment_of, utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.domain.said import said
from webapp.models import JournalEntry, Posting, Wallet
from webapp.models.types import Total
from webapp.services.posting_times import first_from
from webapp.services.snapshot import snapshot

# How many lines a piece of the whole statement has.
PIECE = 500
# By how much the order of the postings' ids may differ from that of their times.
OUT_OF_TURN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One posting that touched a wallet. The changes are signed base units; `key` names the business event,
    `counterpart` is the account at the other end, and `balance` is what was available after it.

    Kinds: deposit_credit, deposit_reverse, deposit_recover, escrow_create, escrow_refund, escrow_release,
    escrow_resolve, payout_queue, payout_return, payout_missing.
    """

    id: int
    at: datetime
    kind: str
    key: str
    escrow_id: uuid.UUID | None
    available_change: int
    held_change: int
    counterpart: str
    balance: Amount


@dataclass(frozen=True, slots=True)
class Period:
    """Days of UTC, both included; None is open. Raises ValidationError naming `until`."""

    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.until < self.since:
            raise ValidationError.of("until", said("must not be before the day it begins with"))

    def conditions(self) -> list[ColumnElement[bool]]:
        """What an entry of the journal in it fulfils; empty for all times."""
        found: list[ColumnElement[bool]] = []
        if self.since:
            found.append(JournalEntry.created_at >= first_moment_of(self.since))
        if self.until:
            found.append(JournalEntry.created_at < first_moment_after(self.until))
        return found


ALL_TIMES = Period()


def list_statement(
    session: Session,
    wallet_id: int,
    period: Period = ALL_TIMES,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[StatementLine]:
    """The lines of a period, the newest first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, row_id)
    rows = _rows(session, wallet_id, period, after, size + 1)
    return Page.of(_lines(session, wallet_id, period, rows), size, lambda line: line.id)


def every_line(session: Session, wallet_id: int, period: Period = ALL_TIMES) -> Iterator[StatementLine]:
    """All lines of a period, the newest first, in pieces that belong to the same moment: a read-only transaction lasts
    until the end.
    """
    with snapshot(session):
        last: StatementLine | None = None
        while rows := _rows(session, wallet_id, period, last.id if last else None, PIECE):
            lines = _lines(session, wallet_id, period, rows, last)
            yield from lines
            last = lines[-1]


def _rows(session: Session, wallet_id: int, period: Period, after: int | None, count: int) -> Sequence[Any]:
    """The first `count` postings after the one with the id `after`."""
    conditions = [*period.conditions(), *_numbers(session, period)]
    if after is not None:
        conditions.append(Posting.id < after)
    # One scan of an index for each end and account; a move between the two is found twice and counts once.
    scans: list[Select[Any]] = []
    for end in (Posting.source, Posting.destination):
        for account in (accounts.available(wallet_id), accounts.held(wallet_id)):
            scan = select(Posting.id).where(end == account, *conditions)
            if period != ALL_TIMES:
                scan = scan.join(JournalEntry, JournalEntry.id == Posting.journal_entry_id)
            scans.append(select(scan.order_by(Posting.id.desc()).limit(count).subquery()))
    found = union(*scans).subquery()
    statement = (
        select(
            Posting.id,
            Posting.source,
            Posting.destination,
            Posting.amount,
            JournalEntry.created_at,
            JournalEntry.kind,
            JournalEntry.key,
            JournalEntry.escrow_id,
        )
        .join(JournalEntry, JournalEntry.id == Posting.journal_entry_id)
        .where(Posting.id.in_(select(found.c.id)))
        .order_by(Posting.id.desc())
        .limit(count)
    )
    return session.execute(statement).all()


def _numbers(session: Session, period: Period) -> list[ColumnElement[bool]]:
    """Between which ids the postings of a period are: nobody has to look through what is long past or came later."""
    found: list[ColumnElement[bool]] = []
    if period.since and period.since > date.min:
        found.append(Posting.id >= first_from(session, first_moment_of(period.since) - OUT_OF_TURN))
    if period.until and period.until < utcnow().date():
        found.append(Posting.id < first_from(session, first_moment_after(period.until) + OUT_OF_TURN))
    return found


def _lines(
    session: Session, wallet_id: int, period: Period, rows: Sequence[Any], before: StatementLine | None = None
) -> list[StatementLine]:
    """The rows as lines. `before` is the line that the first of them follows on, when it is known."""
    if not rows:
        return []
    available = accounts.available(wallet_id)
    if before is None:
        balance, above = _balance_after(session, wallet_id, rows[0].id), rows[0].id
    else:
        balance, above = before.balance.base_units - before.available_change, before.id
    between = _left_out(session, available, period, above, rows[-1].id)
    lines: list[StatementLine] = []
    for row in rows:
        while between and between[0].id > row.id:
            balance -= _change(between.pop(0), available)
        line = _line(row, available, accounts.held(wallet_id), balance)
        balance -= line.available_change
        lines.append(line)
    return lines


def _balance_after(session: Session, wallet_id: int, posting_id: int) -> int:
    """What was available in the wallet after this posting, from one view of the database."""
    account = accounts.available(wallet_id)

    def moved(end: Any) -> Any:
        total = cast(func.sum(type_coerce(Posting.amount, BigInteger)), Total)
        newer = select(func.coalesce(total, 0)).where(end == account, Posting.id > posting_id)
        return newer.scalar_subquery()

    row = session.execute(
        select(
            Wallet.available, moved(Posting.destination).label("came"), moved(Posting.source).label("went")
        ).where(Wallet.id == wallet_id)
    ).one()
    return int(row.available.base_units - int(row.came) + int(row.went))


def _left_out(session: Session, account: str, period: Period, above: int, below: int) -> list[Any]:
    """Changes of the account between two postings that the period leaves out, the newest first.

    Next to none: around midnight the order of ids may differ from the order of the clock's times.
    """
    conditions = period.conditions()
    if not conditions:
        return []
    statement = (
        select(Posting.id, Posting.source, Posting.destination, Posting.amount)
        .join(JournalEntry, JournalEntry.id == Posting.journal_entry_id)
        .where(
            or_(Posting.source == account, Posting.destination == account),
            Posting.id < above,
            Posting.id > below,
            not_(and_(*conditions)),
        )
        .order_by(Posting.id.desc())
    )
    return list(session.execute(statement))


def _line(row: Any, available: str, held: str, balance: int) -> StatementLine:
    return StatementLine(
        id=row.id,
        at=row.created_at,
        kind=row.kind,
        key=row.key,
        escrow_id=row.escrow_id,
        available_change=_change(row, available),
        held_change=_change(row, held),
        counterpart=row.destination if row.source in (available, held) else row.source,
        balance=Amount(balance),
    )


def _change(row: Any, account: str) -> int:
    return int(row.amount.base_units * ((row.destination == account) - (row.source == account)))
