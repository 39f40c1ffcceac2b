"""The state of things for operators, from the database alone: chain, worker, payouts, reserves, alerts. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.payout_states import PASSING
from webapp.ledger import pooled
from webapp.models import (
    Alert,
    ChainCursor,
    DaemonFigures,
    OperatorAction,
    Outage,
    Payout,
    PayoutHalt,
    Reconciliation,
    UnexplainedCoin,
    Wallet,
    WorkerTask,
)
from webapp.services import alerts as standing_alerts
from webapp.services import downtime, operator_actions, worker_tasks
from webapp.services.payouts import halts as payout_halts

SHOWN = 20


@dataclass(frozen=True, slots=True)
class PayoutState:
    """How many payouts stand in one state, what they add up to, and since when the oldest stands there."""

    status: str
    count: int
    total: Amount
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """What an operator looks at first, and a monitoring system all the time.

    `tip` is how far the chain was read, `daemon` what the daemon said last, `reconciliation` the newest one; each is
    None before its first time. `out_since` is the start of a present outage. `fund` and `losses` are in base units.
    `alerts` are the newest `SHOWN` of the standing ones, which `alert_kinds` counts.
    """

    tip: ChainCursor | None
    daemon: DaemonFigures | None
    tasks: list[WorkerTask]
    out_since: datetime | None
    payouts: list[PayoutState]
    halts: list[PayoutHalt]
    reconciliation: Reconciliation | None
    fund: int
    losses: int
    alerts: list[Alert]
    alert_kinds: dict[str, int]
    frozen_wallets: int
    open_coins: int

    @property
    def failing_tasks(self) -> list[WorkerTask]:
        """The worker's tasks whose last run failed."""
        return [task for task in self.tasks if task.last_error]

    @property
    def needs_attention(self) -> bool:
        """Whether something here asks for an operator."""
        is_short = self.reconciliation is not None and self.reconciliation.unexplained < 0
        waits = any(each.status == "awaiting_approval" for each in self.payouts)
        troubles = (self.halts, self.alerts, self.out_since, self.failing_tasks, self.open_coins)
        return is_short or waits or any(troubles)


@dataclass(frozen=True, slots=True)
class Details:
    """What the operations page shows besides: at most `SHOWN` of each, the newest first."""

    reconciliations: list[Reconciliation]
    coins: list[UnexplainedCoin]
    frozen: list[Wallet]
    outages: list[Outage]
    actions: list[OperatorAction]


def figures(session: Session, settings: Settings) -> Figures:
    """The figures, in a fixed number of queries whatever is waiting."""
    newest = select(Reconciliation).order_by(Reconciliation.id.desc()).limit(1)
    return Figures(
        tip=session.get(ChainCursor, 1, populate_existing=True),
        daemon=session.get(DaemonFigures, 1, populate_existing=True),
        tasks=worker_tasks.all_tasks(session),
        out_since=downtime.ongoing(session, settings, utcnow()),
        payouts=_payouts_by_state(session),
        halts=payout_halts.standing(session),
        reconciliation=session.scalars(newest).first(),
        fund=pooled.balance(session, accounts.FUND),
        losses=pooled.balance(session, accounts.LOSSES),
        alerts=standing_alerts.latest(session, SHOWN),
        alert_kinds=standing_alerts.count_by_kind(session),
        frozen_wallets=_count(session, select(func.count()).where(Wallet.is_frozen.is_(True))),
        open_coins=_count(session, select(func.count()).where(UnexplainedCoin.status == "open")),
    )


def details(session: Session) -> Details:
    """What stands behind the figures."""
    by_number = select(Wallet).where(Wallet.is_frozen.is_(True)).order_by(Wallet.id)
    coins = (
        select(UnexplainedCoin).where(UnexplainedCoin.status == "open").order_by(UnexplainedCoin.id.desc())
    )
    newest = select(Reconciliation).order_by(Reconciliation.id.desc())
    outages = select(Outage).order_by(Outage.id.desc())
    return Details(
        reconciliations=list(session.scalars(newest.limit(SHOWN))),
        coins=list(session.scalars(coins.limit(SHOWN))),
        frozen=list(session.scalars(by_number.limit(SHOWN))),
        outages=list(session.scalars(outages.limit(SHOWN))),
        actions=operator_actions.latest(session, SHOWN),
    )


def _payouts_by_state(session: Session) -> list[PayoutState]:
    gross = func.sum(type_coerce(Payout.gross, BigInteger))
    rows = session.execute(
        select(Payout.status, func.count(), gross, func.min(Payout.status_since))
        .where(Payout.status.in_(PASSING))
        .group_by(Payout.status)
    )
    found = {row[0]: PayoutState(row[0], row[1], Amount(int(row[2])), row[3]) for row in rows}
    return [found[status] for status in PASSING if status in found]


def _count(session: Session, statement) -> int:  # type: ignore[no-untyped-def]
    return int(session.execute(statement).scalar_one())
