"""Who spent the inputs of one of our transactions. Txids are malleable on this chain: outpoints are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.domain.addresses import is_same_destination
from webapp.domain.money import Amount
from webapp.models import ChainTransaction, Payout
from webapp.services.daemon.answers import DecodedTransaction, OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet


@dataclass(frozen=True, slots=True)
class Spender:
    """A transaction other than ours that spends at least one of our inputs. `fee` as far as the wallet knows it."""

    transaction: DecodedTransaction
    confirmations: int
    fee: Amount | None


@dataclass(frozen=True, slots=True)
class Payments:
    """How much of what our payouts should get another transaction pays, and in which output of each address."""

    is_complete: bool
    is_partial: bool
    output_index: dict[str, int]


def find_payments(transaction: DecodedTransaction, payouts: Sequence[Payout]) -> Payments:
    """Compare what a transaction pays with the payouts' net amounts, address by address.

    An address that is paid for another reason makes it look partial: an operator decides then, nobody is paid twice.
    """
    due: Counter[str] = Counter()
    for payout in payouts:
        due[payout.address] += payout.net.base_units if payout.net else 0
    paid: Counter[str] = Counter()
    output_index: dict[str, int] = {}
    for output in transaction.outputs:
        for address in due:
            if output.address and is_same_destination(output.address, address):
                paid[address] += output.amount.base_units
                output_index.setdefault(address, output.vout)
    is_complete = all(paid[address] >= amount for address, amount in due.items())
    return Payments(is_complete, bool(output_index) and not is_complete, output_index)


def compare_outputs(ours: DecodedTransaction, theirs: DecodedTransaction) -> Payments:
    """Whether another transaction pays what ours does, output by output: then it is ours under another id."""
    is_twin = ours.outputs == theirs.outputs
    return Payments(is_twin, False, {})


def find_spender(daemon: DaemonWallet, transaction: ChainTransaction) -> Spender | None:
    """The confirmed or else unconfirmed spender; None while every input is unspent.

    The inputs are coins of the daemon's wallet, so whatever spends them is in the wallet's own history.
    """
    inputs = {OutPoint(point.txid, point.vout) for point in transaction.inputs}
    if all(daemon.get_tx_out(point.txid, point.vout) for point in inputs):
        return None
    entries, _ = daemon.list_since_block(transaction.built_on_block, 1)
    candidates = {
        entry.txid for entry in entries if entry.txid != transaction.txid and entry.confirmations >= 0
    }
    spenders = []
    for txid in candidates:
        known = daemon.get_transaction(txid)
        if known is None:
            continue
        decoded = daemon.decode(known["hex"])
        if inputs & set(decoded.inputs):
            fee = read_amount(known["fee"]) if "fee" in known else None
            spenders.append(Spender(decoded, known["confirmations"], fee))
    return max(spenders, key=lambda spender: spender.confirmations, default=None)


def find_lost_input(daemon: DaemonWallet, transaction: ChainTransaction, depth: int) -> OutPoint | None:
    """An input whose own transaction lost against another one that is `depth` blocks deep; None without one.

    Such coins cannot come back without a reorganisation of that depth, and no broadcast can bring them.
    """
    for point in transaction.inputs:
        source = daemon.get_transaction(point.txid)
        # A negative number says how deep the transaction lies that took its place.
        if source is not None and source["confirmations"] <= -depth:
            return OutPoint(point.txid, point.vout)
    return None
