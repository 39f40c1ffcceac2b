"""Who spent the inputs of one of our transactions. Txids are malleable on this chain: outpoints are not."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.models import ChainTransaction
from webapp.services.daemon_answers import DecodedTransaction, OutPoint
from webapp.services.daemon_wallet import DaemonWallet


@dataclass(frozen=True, slots=True)
class Spender:
    """A transaction other than ours that spends at least one of our inputs."""

    transaction: DecodedTransaction
    confirmations: int


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
            spenders.append(Spender(decoded, known["confirmations"]))
    return max(spenders, key=lambda spender: spender.confirmations, default=None)
