"""The coins counted: what the books say must be in the daemon's wallet, and what is there, at one block.

Every coin that came in is in `chain` with a minus; what left is a plus, and `network_fees` went to miners. So

    must hold = -(chain) - network_fees + uncredited deposits that have confirmed - what the network has of ours

Coins that go to cold storage leave through `chain` like any others; the account `cold` says that they are ours.
More coins than that are unexplained but harmless (an operator's own, say); fewer are a gap.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.ledger import pooled
from webapp.models import ChainCursor, ChainTransaction, Deposit, Payout, Wallet
from webapp.models.types import Total
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.transactions import UNSETTLED
from webapp.services.snapshot import snapshot
from webapp.services.untrusted_change import untrusted_change

SHORTAGE_LOOKS = 3
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class Books:
    """The books at one moment, in base units, and the last block that they have read (None before the first).

    `owed` is what people and the fund own here, `in_flight` what was asked out and is not final, `cold` what lies in
    cold storage, `expected` what the daemon must hold.
    """

    owed: int
    in_flight: int
    cold: int
    expected: int
    tip_hash: str | None
    tip_height: int


@dataclass(frozen=True, slots=True)
class Coins:
    """Base units that the daemon must hold and holds. `unexplained` is negative when coins are missing.

    `is_exact`: books and daemon spoke of the same block, and the books stood still meanwhile.
    """

    books: Books
    expected: int
    held: int
    is_exact: bool

    @property
    def unexplained(self) -> int:
        """What is there beyond what must be."""
        return self.held - self.expected


def count_coins(session: Session, daemon: DaemonWallet) -> Coins | None:
    """What must be there and what is; None while the two do not speak of the same block. WalletIntegrationError.

    The books follow the chain by a tick, and a payment may move between two looks: a shortage counts only when three
    looks in a row find one, and the last of them with books that stand still and have read the daemon's last block.
    Change that the daemon does not count, because its transaction fell out of the mempool, is not missing.
    """
    shortage = None
    for look in range(SHORTAGE_LOOKS):
        if look:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        before, unsent = read_books(session), _unsent(session, daemon)
        held = (daemon.balance() + daemon.immature_balance()).base_units
        if held < before.expected:
            held += untrusted_change(session, daemon)
        is_unsent_still = _unsent(session, daemon) == unsent
        tip = daemon.tip()
        after = read_books(session)
        is_still = before.expected == after.expected and after.tip_hash in (None, tip.hash)
        if held >= max(before.expected, after.expected):
            # A twin may have taken the coins of what looks unsent: they are missed only if they are not there.
            expected = after.expected + (unsent if held >= after.expected + unsent else 0)
            is_exact = is_still and is_unsent_still and before.tip_hash == after.tip_hash
            return Coins(after, expected, held, is_exact)
        limbo = change_in_limbo(session, daemon) if is_still else 0
        shortage = Coins(after, after.expected - limbo, held, is_still) if is_still else None
    return shortage


def read_books(session: Session) -> Books:
    """The books at this moment, from one snapshot."""
    with snapshot(session):
        return books_of(session)


def books_of(session: Session) -> Books:
    """The books inside the caller's snapshot."""
    cursor = session.execute(select(ChainCursor.tip_hash, ChainCursor.tip_height)).first()
    inside = -pooled.balance(session, accounts.CHAIN) - pooled.balance(session, accounts.NETWORK_FEES)
    owed = total(session, Wallet.available) + total(session, Wallet.held)
    return Books(
        owed=owed + pooled.balance(session, accounts.FUND),
        in_flight=pooled.balance(session, accounts.PAYOUTS_IN_FLIGHT),
        cold=-pooled.balance(session, accounts.COLD),
        expected=inside + _confirmed_uncredited(session) - _on_the_network(session),
        tip_hash=(cursor.tip_hash or None) if cursor else None,
        tip_height=cursor.tip_height if cursor else 0,
    )


def _confirmed_uncredited(session: Session) -> int:
    return total(session, Deposit.amount, Deposit.status != "credited", Deposit.confirmations > 0)


def _on_the_network(session: Session) -> int:
    # Signed and unknown ones may be on the network or not: counting them keeps the alarm quiet either way.
    # The fee is the transaction's own: dust change goes to the miners on top of what the payouts bear.
    paid = total(session, Payout.net, Payout.status.in_(UNSETTLED))
    # Upkeep fees are in the books from the storing on.
    is_on_its_way = ChainTransaction.status.in_(UNSETTLED)
    fees = total(session, ChainTransaction.fee, is_on_its_way, ChainTransaction.kind == "payouts")
    return paid + fees + total(session, ChainTransaction.amount, is_on_its_way)


def _unsent(session: Session, daemon: DaemonWallet) -> int:
    """What stored transactions will take that the network does not have: signed a moment ago, kept back, or outbid by
    their own cancellation.
    """
    doubtful = or_(ChainTransaction.status.in_(("signed", "unknown")), ChainTransaction.id.in_(cancelled()))
    statement = select(ChainTransaction).where(ChainTransaction.status.in_(UNSETTLED), doubtful)
    found = list(session.scalars(statement.execution_options(populate_existing=True)))
    session.rollback()
    known = daemon.get_transactions(row.txid for row in found) if found else {}
    unsent = [
        row.id
        for row in found
        if known.get(row.txid, {"confirmations": 0})["confirmations"] <= 0
        and not daemon.raw_mempool_has(row.txid)
    ]
    return _taken_by(session, unsent) if unsent else 0


def change_in_limbo(session: Session, daemon: DaemonWallet) -> int:
    """What comes back to us by transactions that the wallet knows and that are in no block and not in the mempool."""
    statement = select(ChainTransaction).where(
        ChainTransaction.status.in_(UNSETTLED), ChainTransaction.change_index.is_not(None)
    )
    found = list(session.scalars(statement.execution_options(populate_existing=True)))
    session.rollback()
    known = daemon.get_transactions(row.txid for row in found)
    limbo = [
        row
        for row in found
        if row.txid in known
        and known[row.txid]["confirmations"] == 0
        and not daemon.raw_mempool_has(row.txid)
    ]
    change = (daemon.decode(row.signed_hex).outputs[row.change_index or 0] for row in limbo)
    return sum(output.amount.base_units for output in change)


def _taken_by(session: Session, transaction_ids: list[uuid.UUID]) -> int:
    with snapshot(session):
        is_one = ChainTransaction.id.in_(transaction_ids)
        fees = total(session, ChainTransaction.fee, is_one, ChainTransaction.kind == "payouts")
        paid = total(session, Payout.net, Payout.transaction_id.in_(transaction_ids))
        return fees + paid + total(session, ChainTransaction.amount, is_one)


def cancelled() -> Select[Any]:
    """The ids of transactions that another one is to make impossible, and that is not final yet."""
    return select(ChainTransaction.parent_id).where(
        ChainTransaction.kind == "cancel",
        ChainTransaction.status.in_(UNSETTLED),
        ChainTransaction.parent_id.is_not(None),
    )


def total(session: Session, column: Any, *conditions: ColumnElement[bool]) -> int:
    """The sum of a column of amounts over the rows that meet the conditions, in base units."""
    found = func.coalesce(cast(func.sum(type_coerce(column, BigInteger)), Total), 0)
    return int(session.execute(select(found).where(*conditions)).scalar_one())
