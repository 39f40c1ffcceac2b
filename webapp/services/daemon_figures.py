"""What the daemon said last, for pages that must not wait for it: balance, coins, fee rate, height.

The worker records it; everybody else looks. Nothing about money is decided by it: who moves coins asks the daemon.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import (
    ChainCursor,
    ChainTransaction,
    ChainTransactionInput,
    DaemonFigures,
    Deposit,
    UnexplainedCoin,
)
from webapp.models.insert_once import insert_once
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.transactions import UNSETTLED
from webapp.services.unit_of_work import unit_of_work

ONLY_ROW = 1
LONGEST_PAUSE = timedelta(seconds=30)
SHORTEST_PAUSE = timedelta(seconds=5)


def look(session: Session) -> DaemonFigures | None:
    """What was recorded last; None when the worker has never reached the daemon. One row is read."""
    return session.get(DaemonFigures, ONLY_ROW, populate_existing=True)


def count_coins(session: Session) -> int:
    """How many coins the daemon's wallet has, as far as the books know of each that came and went.

    Asking the daemon would keep one with many thousands of coins busy for seconds.
    """
    came = select(func.count()).where(Deposit.confirmations > 0, Deposit.status != "reversed")
    unexplained = select(func.count()).where(
        UnexplainedCoin.confirmations > 0, UnexplainedCoin.status != "gone"
    )
    ours = ChainTransaction.status.in_((*UNSETTLED, "confirmed"))
    change = select(func.count()).where(ours, ChainTransaction.change_index.is_not(None))
    spent = (
        select(func.count())
        .select_from(ChainTransactionInput)
        .join(ChainTransaction, ChainTransaction.id == ChainTransactionInput.transaction_id)
        .where(ours)
    )
    came_in, by_itself, came_back, went = (
        session.execute(statement).scalar_one() for statement in (came, unexplained, change, spent)
    )
    return max(came_in + by_itself + came_back - went, 0)


class FigureRecorder:
    """Records the figures of one daemon."""

    def __init__(self, session: Session, daemon: DaemonWallet) -> None:
        self._session = session
        self._daemon = daemon

    def run(self) -> None:
        """Ask the daemon if it is time: after half a minute, or a few seconds after a new block. At other times it
        costs one query. Raises WalletIntegrationError; the old figures stay then, with their time.
        """
        if not self._is_time():
            return
        blocks, headers = self._daemon.heights()
        values = {
            "balance": self._daemon.balance(),
            "immature_balance": self._daemon.immature_balance(),
            "fee_rate": self._daemon.fee_rate_per_kb(),
            "block_height": blocks,
            "headers": headers,
            "coins": count_coins(self._session),
            "recorded_at": utcnow(),
        }
        with unit_of_work(self._session):
            insert_once(self._session, DaemonFigures, {"id": ONLY_ROW} | values)
            self._session.execute(
                update(DaemonFigures)
                .where(DaemonFigures.id == ONLY_ROW)
                .values(**values)
                .execution_options(synchronize_session=False)
            )

    def _is_time(self) -> bool:
        row = self._session.execute(
            select(DaemonFigures.recorded_at, DaemonFigures.block_height).where(DaemonFigures.id == ONLY_ROW)
        ).first()
        tip = self._session.execute(select(ChainCursor.tip_height).where(ChainCursor.id == 1)).scalar()
        self._session.commit()
        if row is None:
            return True
        age = utcnow() - row.recorded_at
        return bool(age >= LONGEST_PAUSE or (tip != row.block_height and age >= SHORTEST_PAUSE))
