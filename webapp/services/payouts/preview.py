"""A withdrawal before it is asked for: what arrives, what the network takes, when it leaves, what stands in its way.

From the database alone: the fee rate is the one that the worker recorded last. It promises the maximum, never the fee.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.models import DaemonFigures, Wallet
from webapp.services import daemon_figures
from webapp.services.custody import limits
from webapp.services.payouts import batching
from webapp.services.payouts.batching import Outlook
from webapp.services.payouts.own_transactions import estimate_size, fee_of


@dataclass(frozen=True, slots=True)
class Preview:
    """A withdrawal of `gross`. `fee` is what it would cost alone; in company it costs less, and never more than
    `max_fee`. `net` is what arrives at that fee, `least_net` at the maximum; zero when nothing would be left.

    `obstacles` are sentences; it would be refused while there are any. `remaining` is what the user may withdraw in
    24 hours, None without such a limit.
    """

    gross: Amount
    fee: Amount
    net: Amount
    max_fee: Amount
    least_net: Amount
    fee_paid_by: str
    fee_rate_per_kb: Amount
    batch: Outlook
    needs_approval: bool
    remaining: Amount | None
    obstacles: tuple[str, ...]


def preview_withdrawal(session: Session, settings: Settings, wallet_id: int, amount: Amount) -> Preview:
    """What would become of it now. Raises NotFoundError."""
    wallet = session.get(Wallet, wallet_id, populate_existing=True)
    if wallet is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    figures = daemon_figures.look(session)
    rate = figures.fee_rate if figures else settings.wallet.fee_rate_per_kb
    fee = estimated_fee(settings, figures, rate, amount)
    is_borne = settings.wallet.fee_paid_by == "recipient"
    remaining = limits.remaining(session, settings, wallet.user_id)
    return Preview(
        gross=amount,
        fee=fee,
        net=_less(amount, fee) if is_borne else amount,
        max_fee=settings.wallet.max_fee_per_payout,
        least_net=_less(amount, settings.wallet.max_fee_per_payout) if is_borne else amount,
        fee_paid_by=settings.wallet.fee_paid_by,
        fee_rate_per_kb=rate,
        batch=batching.outlook(session, settings.wallet, more=1),
        needs_approval=limits.needs_approval(session, settings, wallet.user_id, amount),
        remaining=remaining,
        obstacles=_obstacles(settings, wallet, remaining, amount),
    )


def estimated_fee(
    settings: Settings, figures: DaemonFigures | None, rate: Amount, amount: Amount, payees: int = 1
) -> Amount:
    """The fee of a transaction that pays `amount` in all, with change, of coins of the size they have on average."""
    inputs = 1
    if figures and figures.balance:
        inputs = max(1, -(-amount.base_units * figures.coins // figures.balance.base_units))
    highest = Amount(settings.wallet.max_fee_per_payout.base_units * payees)
    return min(fee_of(estimate_size(inputs, payees + 1), rate), highest)


def _obstacles(
    settings: Settings, wallet: Wallet, remaining: Amount | None, amount: Amount
) -> tuple[str, ...]:
    found = []
    least = settings.wallet.min_payout
    if amount < least:
        found.append(
            said(
                "At least {least} FLOP can be sent: of less, mere dust would arrive.",
                least=least,
            )
        )
    if amount > wallet.available:
        found.append(said("Only {available} FLOP is available.", available=wallet.available))
    if wallet.is_frozen:
        found.append(said("The wallet is frozen: nothing can leave it until an operator has looked at it."))
    if remaining is not None and amount > remaining:
        limit = settings.custody.daily_withdrawal_limit
        found.append(
            said(
                "Only {remaining} FLOP is left of the {limit} FLOP that may leave within 24 hours.",
                remaining=remaining,
                limit=limit,
            )
        )
    return tuple(found)


def _less(amount: Amount, fee: Amount) -> Amount:
    return amount - fee if fee < amount else ZERO
