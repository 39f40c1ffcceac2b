"""The custody of coins on one screen, from the database alone: limits, hot and cold, what waits for an operator."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.config import CustodySettings, Settings
from webapp.domain.money import Amount
from webapp.models import ChainTransaction, DaemonFigures, Payout
from webapp.services import daemon_figures
from webapp.services.custody import approvals, cold_storage, sweep


@dataclass(frozen=True, slots=True)
class CustodyOverview:
    """`hot` is what the daemon said last, None before its first time; `cold` is in base units, and negative when more
    came back from cold storage than was ever sent there. `awaiting` are the oldest of `awaiting_count` payouts.
    """

    limits: CustodySettings
    hot: DaemonFigures | None
    cold: int
    needed: Amount
    sweep: ChainTransaction | None
    refill_address: str | None
    awaiting: list[Payout]
    awaiting_count: int

    @property
    def swept_to(self) -> Amount | None:
        """What a sweep leaves in the daemon besides what waiting payouts need; None without a ceiling."""
        return self.limits.sweep_target


def look(session: Session, settings: Settings) -> CustodyOverview:
    """Read everything once."""
    return CustodyOverview(
        limits=settings.custody,
        hot=daemon_figures.look(session),
        cold=cold_storage.balance(session),
        needed=sweep.needed_by_payouts(session),
        sweep=sweep.on_its_way(session),
        refill_address=cold_storage.refill_address(session),
        awaiting=approvals.list_waiting(session),
        awaiting_count=approvals.count_waiting(session),
    )
