"""The hourly records of the fund's figures: written by the worker's clock, read in lists, thinned out for a chart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.accounts import FUND
from webapp.domain.clock import utcnow
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.models import CommunityFund
from webapp.services.unit_of_work import unit_of_work

# How many rows a piece of the whole list has.
PIECE = 500
RECORDED_RULES = ("airdrop_threshold", "min_airdrop_amount", "airdrop_interval_hours", "max_airdrop_nodes")


def latest(session: Session, count: int) -> list[CommunityFund]:
    """The latest records, the newest first."""
    return list(
        session.scalars(select(CommunityFund).order_by(CommunityFund.recorded_at.desc()).limit(count))
    )


def record(session: Session, rules: FundRules) -> bool:
    """Write the hour's record, with the rules that hold. False when this hour has one."""
    now = utcnow()
    newest = latest(session, 1)
    if newest and now - newest[0].recorded_at < timedelta(hours=1):
        return False
    totals = pooled.totals(session, FUND)
    with unit_of_work(session):
        session.add(
            CommunityFund(
                recorded_at=now,
                balance=Amount(totals.balance),
                total_collected=Amount(totals.total_in),
                total_distributed=Amount(totals.total_out),
                **{name: getattr(rules, name) for name in RECORDED_RULES},
            )
        )
    return True


def collected_before(session: Session, age: timedelta) -> int:
    """Base units that had come in by the last record of at least this age; 0 without one."""
    statement = (
        select(CommunityFund.total_collected)
        .where(CommunityFund.recorded_at <= utcnow() - age)
        .order_by(CommunityFund.recorded_at.desc())
        .limit(1)
    )
    found = session.scalars(statement).first()
    return found.base_units if found else 0


def thinned(session: Session, since: datetime, count: int) -> list[CommunityFund]:
    """At most `count` records from `since` on, evenly picked so that the newest is among them; the oldest first."""
    numbered = (
        select(
            CommunityFund.id,
            func.row_number().over(order_by=CommunityFund.recorded_at.desc()).label("place"),
            func.count().over().label("whole"),
        )
        .where(CommunityFund.recorded_at >= since)
        .subquery()
    )
    step = (numbered.c.whole + count - 1) // count
    picked = (
        select(CommunityFund)
        .join(numbered, numbered.c.id == CommunityFund.id)
        .where((numbered.c.place - 1) % step == 0)
        .order_by(CommunityFund.recorded_at)
        .limit(count)
    )
    return list(session.scalars(picked))


def every_record(session: Session) -> Iterator[CommunityFund]:
    """All records, the newest first, in pieces: no transaction is held while one is taken."""
    after: int | None = None
    while piece := _piece(session, after):
        after = piece[-1].id
        for record in piece:
            session.expunge(record)
        session.rollback()
        yield from piece


def _piece(session: Session, after: int | None) -> list[CommunityFund]:
    statement = select(CommunityFund).order_by(CommunityFund.id.desc()).limit(PIECE)
    return list(session.scalars(statement if after is None else statement.where(CommunityFund.id < after)))
