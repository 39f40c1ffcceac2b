"""What a transaction that we did not make has cost our wallet beyond what our payees got of it.

The wallet says how much less it has since. What came to addresses that were given out for deposits is not in the
wallet as ours: it is credited to whom the address belongs to. The rest went to miners, or to people who have no payout
here: nobody's money but ours pays for that, and it is booked to `losses`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import DepositAddress
from webapp.services.daemon.answers import DecodedTransaction
from webapp.services.payouts.spender_search import Spender


@dataclass(frozen=True, slots=True)
class ForeignCost:
    """`fee` is what miners got of our coins, `elsewhere` what others did.

    Where strangers' coins paid for a part of it, both are less, down to nothing: what the wallet has then beyond what
    the books expect is unexplained, and harmless.
    """

    fee: Amount
    elsewhere: Amount


def cost_of(session: Session, spender: Spender, paid: Amount) -> ForeignCost:
    """The cost beyond what our payees are `paid` by it. Ends what was being read."""
    lost = spender.lost + _deposited(session, spender.transaction) - paid.base_units
    fee = min(spender.fee.base_units if spender.fee else 0, max(lost, 0))
    return ForeignCost(Amount(fee), Amount(max(lost, 0) - fee))


def _deposited(session: Session, transaction: DecodedTransaction) -> int:
    """Base units that the chain watcher credits as deposits."""
    addresses = {output.address for output in transaction.outputs if output.address}
    given_out = DepositAddress.address.in_(addresses) & (DepositAddress.purpose != "stock")
    known = set(session.scalars(select(DepositAddress.address).where(given_out)))
    session.commit()
    return sum(output.amount.base_units for output in transaction.outputs if output.address in known)
