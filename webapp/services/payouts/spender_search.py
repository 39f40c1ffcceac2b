"""Who spent the inputs of one of our transactions. Txids are malleable on this chain: outpoints are not.

The places to look come in the order of what they cost. The daemon knows what conflicts with a transaction of its
wallet; our own rows know which of our transactions share a coin; and whatever came back to a change address of ours is
found by that address. Only then the wallet's history is read, and its coins, which tell of what the history leaves
out: moves from the wallet to itself. Of both only what we did not store is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.services.daemon.answers import DecodedTransaction, OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.payments import find_payments, is_twin

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Spender:
    """A transaction other than ours that spends at least one of our inputs. `fee` as far as the wallet knows it.

    `lost` are the base units that the wallet has less because of it, fee and all; below zero, more.
    """

    transaction: DecodedTransaction
    signed_hex: str
    confirmations: int
    fee: Amount | None
    lost: int
    block_hash: str | None


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


def find_spender(
    session: Session, daemon: DaemonWallet, transaction: ChainTransaction, payout: Payout | None = None
) -> Spender | None:
    """What took inputs of the transaction, confirmed or else in the mempool; None when nothing did, or none is found.

    Several may have taken one input each: then it is one that pays `payout`, or else any payout of the transaction, so
    that nobody who was paid is overlooked; or the deepest. Call it outside a unit of work.
    """
    spenders = _all_spenders(session, daemon, transaction)
    if len(spenders) > 1:
        statement = select(Payout).where(Payout.transaction_id == transaction.id)
        batch = session.scalars(statement.execution_options(populate_existing=True)).all()
        session.commit()
        for payouts in ([payout] if payout else [], batch):
            for spender in spenders:
                if find_payments(spender.transaction, payouts).output_index:
                    return spender
    return next(iter(spenders), None)


def _all_spenders(session: Session, daemon: DaemonWallet, transaction: ChainTransaction) -> Sequence[Spender]:
    """The deepest first. The history is read when what is near does not explain every coin that is gone."""
    spent = set(look_at_inputs(daemon, transaction).spent)
    if not spent:
        return []
    near = _conflicts(daemon, transaction) | _relatives(session, transaction) | _heirs(daemon, transaction)
    found = _spenders(daemon, transaction, near)
    if spent.difference(*(each.transaction.inputs for each in found)):
        found += _spenders(daemon, transaction, _unknown_to_us(session, daemon, transaction) - near)
    return sorted(found, key=lambda spender: -spender.confirmations)


def find_twin(daemon: DaemonWallet, transaction: ChainTransaction) -> Spender | None:
    """What is the transaction in everything but its id and is in a block; None when there is no such thing.

    The history is not searched: the wallet calls a twin of what it has had a conflict, and our change comes back in it.
    """
    near = _spenders(daemon, transaction, _conflicts(daemon, transaction) | _heirs(daemon, transaction))
    found = [each for each in near if each.confirmations > 0]
    ours = daemon.decode(transaction.signed_hex) if found else None
    return next((each for each in found if ours and is_twin(ours, each.transaction)), None)


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


def _spenders(daemon: DaemonWallet, transaction: ChainTransaction, txids: Iterable[str]) -> list[Spender]:
    """Those that spend an input and that the daemon has: in a block, or in the mempool."""
    known = daemon.get_transactions(set(txids) - {transaction.txid})
    waiting = daemon.in_mempool({txid for txid, each in known.items() if each["confirmations"] == 0})
    there = [each for txid, each in known.items() if each["confirmations"] > 0 or txid in waiting]
    points = set(_points(transaction))
    return [
        Spender(decoded, each["hex"], each["confirmations"], _fee(each), _lost(each), each.get("blockhash"))
        for each, decoded in zip(there, daemon.decode_many([each["hex"] for each in there]), strict=True)
        if points & set(decoded.inputs)
    ]


def _fee(known: dict[str, Any]) -> Amount | None:
    return read_amount(known["fee"]) if "fee" in known else None


def _lost(known: dict[str, Any]) -> int:
    """`amount` is what the wallet got less what it gave, without the fee, which is below zero like all that it gave."""
    change = known["amount"] + known.get("fee", 0)
    return read_amount(change).base_units * (1 if change < 0 else -1)
