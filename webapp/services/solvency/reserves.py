"""What is there to cover what is owed: coins by address in the daemon's wallet, and what lies in cold storage.

The addresses are a bounded list, the largest first. What is not in it (smaller ones, scripts that sign nothing, coins
that are not spendable yet) is stated as one figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.solvency import CoinsAt
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Deposit
from webapp.services.coin_count import total
from webapp.services.daemon.answers import OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.transactions import UNSETTLED

MOST_ADDRESSES = 500


@dataclass(frozen=True, slots=True)
class HotCoins:
    """Base units in the daemon's wallet, and the addresses that hold most of it, the largest first."""

    total: int
    listed: tuple[CoinsAt, ...]

    @property
    def listed_total(self) -> int:
        """What these addresses hold."""
        return sum(coins.amount for coins in self.listed)


def hot_coins(session: Session, daemon: DaemonWallet) -> HotCoins:
    """Ask the daemon. Raises WalletIntegrationError. Ends the session's transaction."""
    change = _own_change(session)
    held = (daemon.balance() + daemon.immature_balance()).base_units
    amounts: defaultdict[str, int] = defaultdict(int)
    for coin in daemon.list_coins(0):
        # What others have sent is not there before a block holds it; our own change is.
        if coin.address and (coin.confirmations > 0 or coin.point in change):
            amounts[coin.address] += coin.amount.base_units
    for address, amount in _locked(daemon):
        amounts[address] += amount
    coins = sorted((CoinsAt(*item) for item in amounts.items()), key=lambda at: (-at.amount, at.address))
    return HotCoins(held, tuple(coins[:MOST_ADDRESSES]))


def cold_coins(session: Session, address: str | None) -> tuple[CoinsAt, ...]:
    """What lies at the cold address by the books, inside the caller's snapshot.

    Coins on their way there count, since they can go nowhere else; coins on their way back do not.
    """
    sent = total(
        session,
        ChainTransaction.amount,
        ChainTransaction.kind == "sweep",
        ChainTransaction.status == "broadcast",
    )
    coming_back = total(
        session,
        Deposit.amount,
        Deposit.wallet_id.is_(None),
        Deposit.status != "credited",
        Deposit.confirmations >= 0,
    )
    amount = sent - coming_back - pooled.balance(session, accounts.COLD)
    return (CoinsAt(address, amount),) if address and amount > 0 else ()


def _own_change(session: Session) -> set[OutPoint]:
    rows = session.execute(
        select(ChainTransaction.txid, ChainTransaction.change_index).where(
            ChainTransaction.status.in_(UNSETTLED), ChainTransaction.change_index.is_not(None)
        )
    )
    found = {OutPoint(row.txid, row.change_index) for row in rows}
    session.rollback()
    return found


def _locked(daemon: DaemonWallet) -> Iterator[tuple[str, int]]:
    """(address, base units) of locked coins, which the list of coins leaves out: they are being spent."""
    for point in daemon.list_locked():
        coin = daemon.get_tx_out(point.txid, point.vout)
        if coin is None:
            continue
        script = coin["scriptPubKey"]
        addresses = script.get("addresses") or [script[key] for key in ("address",) if key in script]
        if len(addresses) == 1:
            yield addresses[0], read_amount(coin["value"]).base_units
