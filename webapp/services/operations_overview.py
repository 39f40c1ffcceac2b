"""The state of things for operators, from the database alone: the worker, payouts, halts, alerts. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import Alert, ChainCursor, Payout, PayoutHalt, WorkerTask
from webapp.services import worker_tasks
from webapp.services.payouts import halts as payout_halts

SHOWN_ALERTS = 10
ON_THE_WAY = ("queued", "claimed", "signed", "broadcast", "unknown")


@dataclass(frozen=True, slots=True)
class PayoutState:
    """How many payouts stand in one state, what they add up to, and since when the oldest stands there."""

    status: str
    count: int
    total: Amount
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """`tip_height` is the last block that was read; `tasks` are the worker's, by name."""

    tasks: list[WorkerTask]
    payouts: list[PayoutState]
    halts: list[PayoutHalt]
    alerts: list[Alert]
    tip_height: int | None


def overview(session: Session) -> Overview:
    """Everything an operator looks at first, in five queries whatever is waiting."""
    gross = func.sum(type_coerce(Payout.gross, BigInteger))
    payouts = session.execute(
        select(Payout.status, func.count(), gross, func.min(Payout.status_since))
        .where(Payout.status.in_(ON_THE_WAY))
        .group_by(Payout.status)
    )
    found = {row[0]: PayoutState(row[0], row[1], Amount(int(row[2])), row[3]) for row in payouts}
    alerts = (
        select(Alert).where(Alert.acknowledged_at.is_(None)).order_by(Alert.id.desc()).limit(SHOWN_ALERTS)
    )
    return Overview(
        tasks=worker_tasks.all_tasks(session),
        payouts=[found[status] for status in ON_THE_WAY if status in found],
        halts=payout_halts.standing(session),
        alerts=list(session.scalars(alerts)),
        tip_height=session.execute(select(ChainCursor.tip_height).where(ChainCursor.id == 1)).scalar(),
    )
