"""Who spent the inputs of one of our transactions. Txids are malleable on this chain: outpoints are not.

The places to look come in the order of what they cost. The daemon knows what conflicts with a transaction of its
wallet; our own rows know which of our transactions share a coin; and whatever came back to a change address of ours is
found by that address. Only then the wallet's history is read, and its coins, which tell of what the history leaves
out: moves from the wallet to itself. Of both only what we did not store is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import ChainTransaction, ChainTransactionInput
from webapp.services.daemon.answers import DecodedTransaction, OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Spender:
    """A transaction other than ours that spends at least one of our inputs. `fee` as far as the wallet knows it."""

    transaction: DecodedTransaction
    signed_hex: str
    confirmations: int
    fee: Amount | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What became of a transaction's inputs; none of both is unspent.

    `spent` were taken by something that the daemon has. `missing` are not there: their own transaction is neither in
    the chain nor in the mempool; the number is its confirmations, below zero when another one took its place.
    """

    spent: tuple[OutPoint, ...]
    missing: dict[OutPoint, int]

    def lost(self, depth: int) -> OutPoint | None:
        """An input whose own transaction lost against another one that is `depth` blocks deep; None without one.

        Such coins cannot come back without a reorganisation of that depth, and no broadcast can bring them.
        """
        return next((point for point, depth_below in self.missing.items() if depth_below <= -depth), None)


def look_at_inputs(daemon: DaemonWallet, transaction: ChainTransaction) -> Inputs:
    """Ask about all of them, in few exchanges."""
    points = _points(transaction)
    taken = [point for point, output in daemon.get_tx_outs(points).items() if output is None]
    sources = daemon.get_transactions({point.txid for point in taken})
    depths = {txid: source["confirmations"] for txid, source in sources.items()}
    waiting = daemon.in_mempool({txid for txid, confirmations in depths.items() if confirmations == 0})
    # Of a source that the wallet has never heard of nothing is known: whatever spent the coin is looked for.
    is_there = {txid: depths.get(txid, 1) > 0 or txid in waiting for txid in {p.txid for p in taken}}
    return Inputs(
        tuple(point for point in taken if is_there[point.txid]),
        {point: depths[point.txid] for point in taken if not is_there[point.txid]},
    )


def find_spender(session: Session, daemon: DaemonWallet, transaction: ChainTransaction) -> Spender | None:
    """What took inputs of the transaction, confirmed or else in the mempool; None when nothing did, or none is found.

    Call it outside a unit of work.
    """
    if not look_at_inputs(daemon, transaction).spent:
        return None
    near = _conflicts(daemon, transaction) | _relatives(session, transaction) | _heirs(daemon, transaction)
    found = _best(daemon, transaction, near)
    return found or _best(daemon, transaction, _unknown_to_us(session, daemon, transaction))


def _points(transaction: ChainTransaction) -> list[OutPoint]:
    return [OutPoint(point.txid, point.vout) for point in transaction.inputs]


def _conflicts(daemon: DaemonWallet, transaction: ChainTransaction) -> set[str]:
    """What the wallet itself calls conflicts; it can only do so once it has had the transaction."""
    known = daemon.get_transaction(transaction.txid)
    return set(known.get("walletconflicts", ())) if known else set()


def _relatives(session: Session, transaction: ChainTransaction) -> set[str]:
    """Our other transactions that spend the same coins: a cancel and its parent."""
    point = tuple_(ChainTransactionInput.txid, ChainTransactionInput.vout)
    points = [tuple(each) for each in _points(transaction)]
    found: set[str] = set()
    for start in range(0, len(points), CHUNK):
        statement = (
            select(ChainTransaction.txid)
            .join(ChainTransactionInput, ChainTransactionInput.transaction_id == ChainTransaction.id)
            .where(point.in_(points[start : start + CHUNK]), ChainTransaction.id != transaction.id)
        )
        found |= set(session.scalars(statement))
    session.commit()
    return found


def _heirs(daemon: DaemonWallet, transaction: ChainTransaction) -> set[str]:
    """What pays our change address, which nobody else knows. The history leaves out what only moves our own coins."""
    if transaction.change_index is None:
        return set()
    address = daemon.decode(transaction.signed_hex).outputs[transaction.change_index].address
    return {coin.point.txid for coin in daemon.list_coins(0, [address])} if address else set()


def _unknown_to_us(session: Session, daemon: DaemonWallet, transaction: ChainTransaction) -> set[str]:
    """What the wallet has sent or received since the transaction was built and we did not store: made by hand, say."""
    entries, _ = daemon.list_since_block(transaction.built_on_block, 1)
    candidates = {entry.txid for entry in entries if entry.category == "send" and entry.confirmations >= 0}
    header = daemon.block_header(transaction.built_on_block)
    age = header["confirmations"] if header else 0
    candidates |= {coin.point.txid for coin in daemon.list_coins(0) if age <= 0 or coin.confirmations <= age}
    ordered = sorted(candidates)
    for start in range(0, len(ordered), CHUNK):
        stored = ChainTransaction.txid.in_(ordered[start : start + CHUNK])
        candidates -= set(session.scalars(select(ChainTransaction.txid).where(stored)))
    session.commit()
    return candidates


def _best(daemon: DaemonWallet, transaction: ChainTransaction, txids: Iterable[str]) -> Spender | None:
    """The deepest of those that spend an input and that the daemon has: in a block, or in the mempool."""
    known = daemon.get_transactions(set(txids) - {transaction.txid})
    waiting = daemon.in_mempool({txid for txid, each in known.items() if each["confirmations"] == 0})
    there = [each for txid, each in known.items() if each["confirmations"] > 0 or txid in waiting]
    points = set(_points(transaction))
    spenders = [
        Spender(decoded, each["hex"], each["confirmations"], _fee(each))
        for each, decoded in zip(there, daemon.decode_many([each["hex"] for each in there]), strict=True)
        if points & set(decoded.inputs)
    ]
    return max(spenders, key=lambda spender: spender.confirmations, default=None)


def _fee(known: dict[str, object]) -> Amount | None:
    return read_amount(known["fee"]) if "fee" in known else None
