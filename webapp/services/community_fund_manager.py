"""The community fund: its share of every release, its balance, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.accounts import FUND
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import PROGRAM, Actor
from webapp.ledger import pooled
from webapp.services import fund_records, fund_rules
from webapp.services.airdrops import history, manual_answer, schedule
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.wallet_integration import WalletIntegration

DAY = timedelta(days=1)


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
        self._settings = config

    def balance(self) -> Amount:
        """What the fund holds."""
        return Amount(pooled.balance(self._session, FUND))

    def is_airdrop_due(self, now: datetime | None = None) -> bool:
        """Whether the balance has reached the threshold, and the interval since the last automatic airdrop is over."""
        return schedule.look(self._session, self._settings, now).is_due

    def get_fund_statistics(self) -> dict[str, Any]:
        """The fund's figures: amounts as Amount, times as datetime or None, `rules` as FundRules.

        `next_airdrop_trigger` is what the fund still lacks to its threshold, and `progress` how far it is in whole per
        cent. `recent_24h_collected` and `recent_7d_collected` count from the last hourly record that is at least that
        old. `recipients` are the shares of all `airdrops`; `blocked_reason` says why one that is due does not go.
        """
        outlook = schedule.look(self._session, self._settings)
        totals = pooled.totals(self._session, FUND)
        balance, threshold = Amount(totals.balance), outlook.rules.airdrop_threshold
        last, given = history.last_given(self._session), history.given(self._session)
        return {
            "current_balance": balance,
            "airdrop_threshold": threshold,
            "next_airdrop_trigger": threshold - balance if balance < threshold else ZERO,
            "progress": min(balance.base_units * 100 // threshold.base_units, 100),
            "total_collected": Amount(totals.total_in),
            "total_distributed": Amount(totals.total_out),
            "recent_24h_collected": self._collected_within(totals, DAY),
            "recent_7d_collected": self._collected_within(totals, 7 * DAY),
            "recipients": given.recipients,
            "airdrops": given.airdrops,
            "last_airdrop_at": last.posted_at if last else None,
            "last_airdrop_amount": last.total if last else None,
            "next_airdrop_at": outlook.next_airdrop_at,
            "is_airdrop_due": outlook.is_due,
            "is_airdrop_under_way": outlook.is_under_way,
            "blocked_reason": outlook.blocked,
            "rules": outlook.rules,
            "pending_rule_changes": fund_rules.pending(self._session),
        }

    def manual_airdrop(
        self,
        node_ids: Sequence[str],
        amount_per_node: object = None,
        *,
        total_amount: object = None,
        reason: str = "",
        dry_run: bool = False,
        actor: Actor = PROGRAM,
    ) -> dict[str, Any]:
        """Give so much to each of these nodes, or a total in equal parts; `airdrops.manual_answer` tells the answer.

        All of it or nothing: what `ManualAirdrops.give` raises names every reason. Call it outside a unit of work.
        """
        airdrops = ManualAirdrops(self._session, self._settings, actor)
        return manual_answer.answer(
            airdrops, node_ids, amount_per_node, total_amount, reason=reason, dry_run=dry_run
        )

    def record_figures(self) -> bool:
        """Write the hour's record. False when this hour has one."""
        return fund_records.record(self._session, fund_rules.in_force(self._session, self._settings))

    def _collected_within(self, totals: pooled.Totals, age: timedelta) -> Amount:
        return Amount(totals.total_in - fund_records.collected_before(self._session, age))
