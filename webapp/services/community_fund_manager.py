"""The community fund: its share of every release, its balance, its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.accounts import FUND
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.ledger import pooled
from webapp.models import CommunityFund, JournalEntry, Posting
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

AIRDROP_KIND = "airdrop"


@dataclass(frozen=True, slots=True)
class _Airdrop:
    at: datetime
    amount: Amount


class CommunityFundManager:
    """Reads the fund from the ledger. The tax itself is part of an escrow's release."""

    def __init__(
        self,
        db_session: Session,
        wallet_integration: WalletIntegration | None = None,
        config: Settings | None = None,
    ) -> None:
        self._session = db_session
        if config is None:
            config = wallet_integration.settings if wallet_integration else load_config()
        self._settings = config.community_fund

    def balance(self) -> Amount:
        """What the fund holds."""
        return Amount(pooled.balance(self._session, FUND))

    def is_airdrop_due(self, now: datetime | None = None) -> bool:
        """Whether the balance has reached the threshold and the interval since the last airdrop has passed."""
        if self.balance() < self._settings.airdrop_threshold:
            return False
        last = self._last_airdrop()
        return last is None or (now or utcnow()) >= last.at + self._interval

    def get_fund_statistics(self) -> dict[str, Any]:
        """The fund's figures: amounts as Amount, times as datetime or None.

        `next_airdrop_trigger` is what the fund still lacks to its threshold; `recent_24h_collected` counts from the
        last hourly record that is at least 24 hours old.
        """
        totals = pooled.totals(self._session, FUND)
        balance, threshold = Amount(totals.balance), self._settings.airdrop_threshold
        last = self._last_airdrop()
        return {
            "current_balance": balance,
            "airdrop_threshold": threshold,
            "next_airdrop_trigger": threshold - balance if balance < threshold else ZERO,
            "total_collected": Amount(totals.total_in),
            "total_distributed": Amount(totals.total_out),
            "recent_24h_collected": Amount(totals.total_in - self._collected_a_day_ago()),
            "last_airdrop_at": last.at if last else None,
            "last_airdrop_amount": last.amount if last else None,
            "next_airdrop_at": last.at + self._interval if last else None,
        }

    def history(self, limit: int) -> list[CommunityFund]:
        """The latest hourly records, newest first."""
        statement = select(CommunityFund).order_by(CommunityFund.recorded_at.desc()).limit(limit)
        return list(self._session.scalars(statement))

    def record_figures(self) -> bool:
        """Write the hour's record. False when this hour has one."""
        now = utcnow()
        latest = self.history(1)
        if latest and now - latest[0].recorded_at < timedelta(hours=1):
            return False
        totals = pooled.totals(self._session, FUND)
        with unit_of_work(self._session):
            self._session.add(
                CommunityFund(
                    recorded_at=now,
                    balance=Amount(totals.balance),
                    total_collected=Amount(totals.total_in),
                    total_distributed=Amount(totals.total_out),
                    **dict(self._settings),
                )
            )
        return True

    @property
    def _interval(self) -> timedelta:
        return timedelta(hours=self._settings.airdrop_interval_hours)

    def _last_airdrop(self) -> _Airdrop | None:
        latest = (
            select(JournalEntry.id, JournalEntry.created_at)
            .where(JournalEntry.kind == AIRDROP_KIND)
            .order_by(JournalEntry.created_at.desc())
            .limit(1)
        )
        entry = self._session.execute(latest).first()
        if entry is None:
            return None
        given = select(Posting.amount).where(Posting.journal_entry_id == entry.id, Posting.source == FUND)
        total = sum(amount.base_units for amount in self._session.scalars(given))
        return _Airdrop(entry.created_at, Amount(total))

    def _collected_a_day_ago(self) -> int:
        statement = (
            select(CommunityFund.total_collected)
            .where(CommunityFund.recorded_at <= utcnow() - timedelta(days=1))
            .order_by(CommunityFund.recorded_at.desc())
            .limit(1)
        )
        found = self._session.scalars(statement).first()
        return found.base_units if found else 0
