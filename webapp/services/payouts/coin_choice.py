"""Which coins pay for which payouts, when the daemon's own choice is too dear or too large. Reckons; asks nothing.

The daemon looks for coins that add up closely to what is asked for, and so prefers many small ones. The fewest coins
are the largest ones, and the fewest payouts are left over when the smallest go first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from webapp.config import WalletSettings
from webapp.domain.money import Amount
from webapp.models import Payout
from webapp.services.daemon.answers import Coin
from webapp.services.payouts.own_transactions import (
    FRAME_SIZE,
    INPUT_SIZE,
    OUTPUT_SIZE,
    estimate_size,
    fee_of,
)

# Nodes pass on transactions of up to 100,000 bytes; a signature may be a byte longer than it was reckoned with.
LARGEST_SIZE = 99_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Payouts that one transaction can pay, and the coins for it."""

    payouts: tuple[Payout, ...]
    coins: tuple[Coin, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a transaction costs at `rate` FLOP per kilobyte, and what it may cost."""

    rate: Amount
    settings: WalletSettings

    def fee(self, inputs: int, outputs: int) -> Amount:
        """The fee of a transaction of so many inputs and outputs."""
        return fee_of(estimate_size(inputs, outputs), self.rate)

    def may_pay(self, payouts: int, payees: int, inputs: int, *, by_recipient: bool) -> bool:
        """Whether a standard transaction may pay so many payouts to so many addresses, with one more for change."""
        fee = self.fee(inputs, payees + 1).base_units
        highest = -(-fee // (payees if by_recipient else payouts))
        return (
            estimate_size(inputs, payees + 1) <= LARGEST_SIZE
            and fee <= self.settings.max_fee_per_transaction.base_units
            and highest <= self.settings.max_fee_per_payout.base_units
        )

    def may_pay_alone(self, payout: Payout) -> bool:
        """Whether the payout by itself, from one coin, is within the limits. If not, no other coins will help."""
        is_allowed = self.may_pay(1, 1, 1, by_recipient=True)
        if not is_allowed or payout.fee_paid_by == "fund":
            return is_allowed
        return payout.gross >= self.fee(1, 2) + self.settings.dust_limit

    def is_worth_spending(self, coin: Coin) -> bool:
        """Whether a coin brings more than it costs to spend it."""
        return coin.amount > fee_of(INPUT_SIZE, self.rate)

    def most_inputs(self, fee: Amount) -> int:
        """How many coins a standard transaction with one output can spend for at most `fee`."""
        payable = fee.base_units * 1000 // self.rate.base_units if self.rate else LARGEST_SIZE
        return max((min(payable, LARGEST_SIZE) - FRAME_SIZE - OUTPUT_SIZE) // INPUT_SIZE, 0)


def largest_first(coins: Sequence[Coin], prices: Prices) -> list[Coin]:
    """The coins that are worth their fee, the largest one first."""
    return sorted(
        filter(prices.is_worth_spending, coins), key=lambda coin: (coin.amount, coin.point), reverse=True
    )


def count_needed(need: int, sums: Sequence[int], spare: int = 0) -> int | None:
    """How many of the largest coins reach `need` base units; None when all of them do not.

    `sums` are the coins' running totals. They reach `spare` more if they can, so that the change is no dust.
    """
    for wanted in (need + spare, need):
        position = bisect_left(sums, wanted)
        if position < len(sums):
            return position + 1
    return None


def plan_payment(payouts: Sequence[Payout], coins: Sequence[Coin], prices: Prices) -> Plan | None:
    """As many of the payouts as one transaction can pay within the limits; None when it cannot pay even one.

    The payouts must agree in who pays the fee.
    """
    coins = largest_first(coins, prices)
    sums = list(accumulate(coin.amount.base_units for coin in coins))
    waiting = sorted(payouts, key=lambda payout: (payout.gross, payout.id))
    by_recipient = waiting[0].fee_paid_by == "recipient"
    addresses: set[str] = set()
    total = 0
    best = None
    for count, payout in enumerate(waiting, 1):
        addresses.add(payout.address)
        total += payout.gross.base_units
        inputs = _inputs_for(total, sums, len(addresses) + 1, prices, by_recipient)
        if inputs is None:
            break
        if prices.may_pay(count, len(addresses), inputs, by_recipient=by_recipient):
            best = count, inputs
    return Plan(tuple(waiting[: best[0]]), tuple(coins[: best[1]])) if best else None


def _inputs_for(
    total: int, sums: Sequence[int], outputs: int, prices: Prices, by_recipient: bool
) -> int | None:
    """How many of the largest coins pay `total`, and the fee as well unless the recipients bear it."""
    spare = prices.settings.dust_limit.base_units
    inputs = count_needed(total, sums, spare)
    while not by_recipient and inputs is not None:
        enough = count_needed(total + prices.fee(inputs, outputs).base_units, sums, spare)
        if enough is None or enough <= inputs:
            return enough
        inputs = enough
    return inputs
