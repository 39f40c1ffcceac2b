"""What another transaction pays of what ours was to pay: all of it, some, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.domain.addresses import destination
from webapp.domain.money import ZERO, Amount
from webapp.models import Payout
from webapp.services.daemon.answers import DecodedTransaction


@dataclass(frozen=True, slots=True)
class Payments:
    """How much of what our payouts should get another transaction pays, and in which output of each address.

    A twin is ours in everything but its id: every payment is where it was.
    """

    is_complete: bool
    is_partial: bool
    output_index: dict[str, int]
    is_twin: bool = False


def is_twin(ours: DecodedTransaction, theirs: DecodedTransaction) -> bool:
    """Whether it spends and pays the very same."""
    return set(ours.inputs) == set(theirs.inputs) and ours.outputs == theirs.outputs


def paid_to(transaction: DecodedTransaction, address: str) -> Amount:
    """All that a transaction pays to where the address leads, however it is spelled."""
    payee = destination(address)
    there = (
        each.amount for each in transaction.outputs if each.address and destination(each.address) == payee
    )
    return sum(there, start=ZERO)


def find_payments(transaction: DecodedTransaction, payouts: Sequence[Payout]) -> Payments:
    """Compare what a transaction pays with the payouts' net amounts, destination by destination.

    A destination that is paid for another reason makes it look partial: an operator decides then, nobody is paid
    twice. An address may have two spellings, and both are due together.
    """
    destinations = {payout.address: destination(payout.address) for payout in payouts}
    due: Counter[bytes] = Counter()
    for payout in payouts:
        due[destinations[payout.address]] += payout.net.base_units if payout.net else 0
    paid: Counter[bytes] = Counter()
    first_output: dict[bytes, int] = {}
    for output in transaction.outputs:
        payee = destination(output.address) if output.address else b""
        if payee in due:
            paid[payee] += output.amount.base_units
            first_output.setdefault(payee, output.vout)
    is_complete = all(paid[payee] >= amount for payee, amount in due.items())
    output_index = {
        address: first_output[payee] for address, payee in destinations.items() if payee in first_output
    }
    return Payments(is_complete, bool(output_index) and not is_complete, output_index)
