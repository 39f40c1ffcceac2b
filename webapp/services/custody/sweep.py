"""The hot wallet's ceiling: what the daemon holds beyond it goes to the cold address, and beyond the daemon's reach.

What waiting payouts need stays. A sweep spends the largest coins, in a transaction that nodes pass on; the next one
follows when that one is final. The community fund bears the fee. What goes out is booked to `cold` when it is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.exceptions import ConflictError
from webapp.domain.money import Amount
from webapp.domain.payout_states import UNCLAIMED, PayoutStatus
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import ChainTransaction, DepositAddress, Payout
from webapp.services import operator_actions
from webapp.services.custody.cold_storage import SUBJECT
from webapp.services.daemon.answers import Coin
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.coin_choice import LARGEST_SIZE, Prices, largest_first
from webapp.services.payouts.own_transactions import OwnTransactions, UpkeepRefusedError, estimate_size
from webapp.services.payouts.transactions import UNSETTLED, InputsTakenError
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

ALERT_ADDRESS = "cold_address_refused"
ALERT_WAITS = "sweep_waits"
_UNSIGNED = (*UNCLAIMED, PayoutStatus.CLAIMED)


class SweepRefusedError(ConflictError):
    """No sweep goes out now; the detail says why."""

    slug = "sweep-refused"
    title = said("Nothing is swept now")


class OwnAddressError(SweepRefusedError):
    """The cold address is one of the daemon's own: coins there are as hot as before, and counted twice."""

    slug = "cold-address-is-hot"
    title = said("The cold address is not cold")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one transaction takes to cold storage, and from which coins."""

    coins: tuple[Coin, ...]
    fee: Amount
    amount: Amount


def needed_by_payouts(session: Session) -> Amount:
    """What has been asked out and is in no transaction yet."""
    total = func.coalesce(func.sum(type_coerce(Payout.gross, BigInteger)), 0)
    return Amount(int(session.execute(select(total).where(Payout.status.in_(_UNSIGNED))).scalar_one()))


def on_its_way(session: Session) -> ChainTransaction | None:
    """The sweep that is not final yet, if there is one."""
    statement = select(ChainTransaction).where(
        ChainTransaction.kind == "sweep", ChainTransaction.status.in_(UNSETTLED)
    )
    return session.scalars(statement.limit(1)).first()


def plan_piece(coins: Sequence[Coin], excess: int, prices: Prices, fund: int) -> Piece:
    """The largest coins until they reach the excess, or as many as one transaction and the fund can bear.

    `excess` and `fund` are in base units. Raises SweepRefusedError when nothing is worth its fee.
    """
    bearable = min(prices.settings.max_fee_per_transaction.base_units, fund)
    dust = prices.settings.dust_limit.base_units
    chosen: list[Coin] = []
    total = 0
    for coin in largest_first(coins, prices):
        inputs = len(chosen) + 1
        is_enough = total >= excess + prices.fee(len(chosen), 2).base_units + dust
        is_too_large = estimate_size(inputs, 2) > LARGEST_SIZE
        if is_enough or is_too_large or prices.fee(inputs, 2).base_units > bearable:
            break
        chosen.append(coin)
        total += coin.amount.base_units
    fee = prices.fee(max(1, len(chosen)), 2)
    if not chosen:
        raise SweepRefusedError(
            said(
                "A sweep costs {fee} FLOP or more. The community fund, which bears it, has {value} "
                "FLOP; wallet.max_fee_per_transaction is {max_fee_per_transaction}.",
                fee=fee,
                value=Amount(max(0, fund)),
                max_fee_per_transaction=prices.settings.max_fee_per_transaction,
            )
        )
    amount = min(excess, total - fee.base_units - dust)
    if amount < dust:
        raise SweepRefusedError(said("The coins that one transaction can spend are not worth its fee."))
    return Piece(tuple(chosen), fee, Amount(amount))


class Sweeper:
    """Sweeps of one instance. Call it outside a unit of work."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._custody, self._wallet = settings.custody, settings.wallet
        self._daemon = daemon
        self._own = OwnTransactions(session, settings, daemon)

    def run(self) -> ChainTransaction | None:
        """The worker's look: sweep when more than the ceiling is there. Raises WalletIntegrationError.

        What keeps a sweep from going out is told to the operators in an alert.
        """
        ceiling, target = self._custody.hot_wallet_ceiling, self._custody.sweep_target
        if ceiling is None or target is None or self._must_wait():
            return None
        if self._daemon.balance() <= ceiling + self._needed():
            return None
        try:
            coins = self._coins()
            if _sum(coins) <= (ceiling + self._needed()).base_units:
                return None  # What is not deep enough yet does not count.
            return self._sweep(coins, target)
        except SweepRefusedError as refusal:
            kind = ALERT_ADDRESS if isinstance(refusal, OwnAddressError) else ALERT_WAITS
            with unit_of_work(self._session):
                payout_halts.raise_alert(self._session, kind, "hot wallet", refusal.detail)
            return None

    def sweep_now(self, actor: Actor, keep: Amount | None = None) -> ChainTransaction:
        """Sweep down to `keep`, or to the configured target, whether the ceiling is reached or not.

        Raises SweepRefusedError with the reason, or WalletIntegrationError.
        """
        keep = keep if keep is not None else self._custody.sweep_target
        if keep is None:
            raise SweepRefusedError(
                said("Say how much is to stay, or set custody.hot_wallet_ceiling in the settings.")
            )
        return self._sweep(self._coins(), keep, actor)

    def _must_wait(self) -> bool:
        is_under_way = on_its_way(self._session) is not None
        return payout_halts.is_halted(self._session) or is_under_way

    def _needed(self) -> Amount:
        needed = needed_by_payouts(self._session)
        self._session.commit()
        return needed

    def _coins(self) -> list[Coin]:
        """Coins as deep as a credited deposit: no reorganisation that we expect takes one of them out of a sweep."""
        return self._daemon.list_coins(self._wallet.confirmations_required)

    def _sweep(self, coins: list[Coin], keep: Amount, actor: Actor | None = None) -> ChainTransaction:
        address = self._cold_address()
        excess = _sum(coins) - (keep + self._needed()).base_units
        if excess <= self._wallet.dust_limit.base_units:
            raise SweepRefusedError(
                said(
                    "No more is there than {keep} FLOP and what waiting payouts need.",
                    keep=keep,
                )
            )
        prices = Prices(self._daemon.fee_rate_per_kb(), self._wallet)
        piece = plan_piece(coins, excess, prices, self._fund())

        def check(transaction: ChainTransaction) -> None:
            self._require_alone(transaction)
            if actor is not None:
                operator_actions.record(
                    self._session,
                    actor,
                    "sweep",
                    SUBJECT,
                    amount=piece.amount,
                    txid=transaction.txid,
                    keep=keep,
                )

        try:
            sent = self._own.send("sweep", piece.coins, piece.fee, {address: piece.amount}, also=check)
        except (UpkeepRefusedError, InputsTakenError) as error:
            raise SweepRefusedError(error.detail) from error
        log.info("swept_to_cold_storage", txid=sent.txid, amount=str(piece.amount), coins=len(piece.coins))
        return sent

    def _require_alone(self, transaction: ChainTransaction) -> None:
        """Asked with the fund's row in hand, which every transaction of our own takes: nobody else sweeps meanwhile."""
        other = select(ChainTransaction.id).where(
            ChainTransaction.kind == "sweep",
            ChainTransaction.status.in_(UNSETTLED),
            ChainTransaction.id != transaction.id,
        )
        if self._session.execute(other.limit(1)).first():
            raise SweepRefusedError(
                said("A sweep is on its way already; the next one follows when it is final.")
            )

    def _cold_address(self) -> str:
        address = self._custody.cold_address
        if address is None:
            raise SweepRefusedError(said("Set custody.cold_address in the settings."))
        is_ours = self._session.get(DepositAddress, address) is not None
        self._session.commit()
        self._daemon.require_network()
        if is_ours or self._daemon.is_mine(address):
            raise OwnAddressError(
                said(
                    "custody.cold_address {address} is an address of the daemon's own wallet: nothing is "
                    "swept there.",
                    address=address,
                )
            )
        return address

    def _fund(self) -> int:
        found = pooled.balance(self._session, accounts.FUND)
        self._session.commit()
        return found


def _sum(coins: list[Coin]) -> int:
    return sum(coin.amount.base_units for coin in coins)
