"""Many small coins become one: in quiet times, and for payouts whose amount lies in too many of them.

The community fund bears the fees; what it cannot bear is left for another time, without an alert. A merge spends only
coins that are as deep as a credited deposit, and none that is worth less than the fee of spending it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.money import ZERO, Amount
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Payout
from webapp.services import daemon_figures
from webapp.services.daemon.answers import Coin, OutPoint
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import batching
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.claims import WAITS_FOR_FUND, WAITS_FOR_MERGES
from webapp.services.payouts.coin_choice import Prices, count_needed, largest_first, plan_payment
from webapp.services.payouts.own_transactions import OwnTransactions, UpkeepRefusedError
from webapp.services.payouts.transactions import UNSETTLED, InputsTakenError
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

# Merges of one run, and in no block at a time: a block has other customers, too.
MOST_AT_ONCE = 5
FEWEST_COINS = 2
# Estimates play about the lowest rate by a little.
QUIET_PER_CENT = 125


class CoinUpkeep:
    """The worker's look at the coins."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._own = OwnTransactions(session, settings, daemon)

    def run(self) -> None:
        """Send a few merges if there is a reason to, when the ones before are in a block.

        Raises WalletIntegrationError when the daemon is not usable.
        """
        waiting = self._waiting_payouts()
        is_wanted = bool(waiting) or self._is_quiet_and_full()
        may_send = not self._has_unmined() and not payout_halts.is_halted(self._session)
        self._session.commit()
        if not is_wanted or not may_send:
            return
        prices = Prices(self._daemon.fee_rate_per_kb(), self._settings)
        if waiting or self._may_merge_quietly(prices):
            self._merge(self._daemon.list_coins(), waiting, prices)

    def _may_merge_quietly(self, prices: Prices) -> bool:
        """Nobody waits for these: they take place at about the lowest price, and when the fund has the whole fee."""
        if 100 * prices.rate.base_units > QUIET_PER_CENT * self._settings.fee_rate_per_kb.base_units:
            return False
        fee, fund = prices.fee(self._most_coins(prices), 1), self._fund_balance()
        if fund < fee:
            log.info("coins_not_merged", fee=str(fee), fund=str(fund))
        return fund >= fee

    def _merge(self, coins: list[Coin], waiting: Sequence[Payout], prices: Prices) -> None:
        for _ in range(MOST_AT_ONCE):
            chosen = self._choose(coins, waiting, prices)
            if len(chosen) < FEWEST_COINS:
                break
            fee = prices.fee(len(chosen), 1)
            try:
                transaction = self._own.send("merge", chosen, fee)
            except (UpkeepRefusedError, InputsTakenError) as error:
                log.info("coins_not_merged", coins=len(chosen), reason=error.detail)
                break
            log.info("coins_merged", coins=len(chosen), txid=transaction.txid, fee=str(fee))
            coins = _after(coins, chosen, transaction)

    def _choose(self, coins: list[Coin], waiting: Sequence[Payout], prices: Prices) -> list[Coin]:
        """The coins of the next merge; fewer than two mean that nothing is to be done."""
        count = self._most_coins(prices)
        if waiting:
            wanted = _in_the_way([coin for coin in coins if self._is_deep(coin)], coins, waiting, prices)
            count = min(count, prices.most_inputs(self._fund_balance()))
            self._tell(waiting, is_affordable=not wanted or count >= FEWEST_COINS)
        elif len(coins) > self._settings.merge_above_coins:
            wanted = largest_first([coin for coin in coins if self._is_deep(coin)], prices)
        else:
            return []
        return wanted[max(len(wanted) - count, 0) :] if count else []

    def _most_coins(self, prices: Prices) -> int:
        return min(self._settings.merge_inputs, prices.most_inputs(self._settings.max_fee_per_transaction))

    def _is_deep(self, coin: Coin) -> bool:
        return coin.confirmations >= self._settings.confirmations_required

    def _waiting_payouts(self) -> list[Payout]:
        """Those that no transaction can pay before coins are merged."""
        reasons = (WAITS_FOR_MERGES, WAITS_FOR_FUND)
        statement = select(Payout).where(Payout.status == "queued", Payout.reason.in_(reasons))
        return list(self._session.scalars(statement.order_by(Payout.id)))

    def _is_quiet_and_full(self) -> bool:
        figures = daemon_figures.look(self._session)
        if figures is None or figures.coins <= self._settings.merge_above_coins:
            return False
        on_their_way = select(Payout.id).where(Payout.status.in_(("claimed", "signed", "unknown"))).limit(1)
        is_busy = self._session.execute(on_their_way).first() is not None
        return not is_busy and not batching.has_ready(self._session, self._settings)

    def _has_unmined(self) -> bool:
        statement = select(func.count()).where(
            ChainTransaction.kind == "merge",
            ChainTransaction.status.in_(UNSETTLED),
            ChainTransaction.confirmations == 0,
        )
        return self._session.execute(statement).scalar_one() > 0

    def _fund_balance(self) -> Amount:
        balance = pooled.balance(self._session, accounts.FUND)
        self._session.commit()
        return Amount(max(balance, 0))

    def _tell(self, waiting: Sequence[Payout], *, is_affordable: bool) -> None:
        """Let the payees read what their payouts wait for."""
        now, before = (WAITS_FOR_MERGES, WAITS_FOR_FUND)[:: 1 if is_affordable else -1]
        with unit_of_work(self._session):
            self._session.execute(
                update(Payout)
                .where(
                    Payout.id.in_([payout.id for payout in waiting]),
                    Payout.status == "queued",
                    Payout.reason == before,
                )
                .values(reason=now)
                .execution_options(synchronize_session=False)
            )


def _in_the_way(deep: list[Coin], coins: list[Coin], waiting: Sequence[Payout], prices: Prices) -> list[Coin]:
    """The coins that waiting payouts lie in, the largest one first; none once transactions can pay all of them.

    They can at twice the price: what was just possible by reckoning may be too dear when the daemon builds it.
    """
    left, used = list(waiting), set[Coin]()
    twice = replace(prices, rate=prices.rate + prices.rate)
    while left and (plan := plan_payment(left, [coin for coin in coins if coin not in used], twice)):
        left = [payout for payout in left if payout not in set(plan.payouts)]
        used.update(plan.coins)
    if not left:
        return []
    candidates = largest_first([coin for coin in deep if coin not in used], prices)
    sums = list(accumulate(coin.amount.base_units for coin in candidates))
    return candidates[: count_needed(sum(payout.gross.base_units for payout in left), sums)]


def _after(coins: list[Coin], merged: list[Coin], transaction: ChainTransaction) -> list[Coin]:
    """The coins as they are once the merge is mined."""
    assert transaction.change_index is not None, "all that a merge pays comes back"
    spent = {coin.point for coin in merged}
    total = sum((coin.amount for coin in merged), start=ZERO)
    made = Coin(OutPoint(transaction.txid, transaction.change_index), total - transaction.fee, 0, None)
    return [*(coin for coin in coins if coin.point not in spent), made]
