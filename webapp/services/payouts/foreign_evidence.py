"""What can be seen of a transaction that has taken the coins of a payout: how much of it came to the payee."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.money import Amount


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the transaction that has taken a payout's coins pays to the payout's destination.

    `paid` is all that it pays there, and `counted` what of it other payouts were accepted with. `rivals` is how many
    undecided payouts of the same batch go there, too.
    """

    txid: str
    confirmations: int
    confirmations_needed: int
    due: Amount
    paid: Amount
    counted: Amount
    rivals: int

    @property
    def is_final(self) -> bool:
        """Whether it is deep enough to be decided about."""
        return self.confirmations >= self.confirmations_needed

    @property
    def share(self) -> Amount:
        """What of `paid` can count for this payout, which is never more than it is due."""
        left = max(self.paid.base_units - self.counted.base_units, 0)
        return min(self.due, Amount(left))

    @property
    def missing(self) -> Amount:
        """What goes back to the balance when the payout is accepted as paid."""
        return self.due - self.share
