"""What is owed to whom at one moment, and the leaves that are made of it.

To a wallet is owed what it has (`available`, `held`), what arrives (`arriving`: deposits that a block holds and that
are not credited yet; what is lost of them already is not owed twice) and what it has asked out and the network does
not have (`leaving`, with the fee inside). A payout counts as on the network when its transaction is `broadcast`: the
daemon's wallet has let its coins go by then. `signed` and `unknown` ones, and those that another transaction is to
make impossible, are still owed. The fund is owed what it holds, with the fees that it has set aside for such payouts
and what it gives in them itself, and without those fees beyond every payee's share that a transaction on the network
has taken and that it pays when that is final.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.money import ZERO
from webapp.domain.solvency import Leaf, in_order
from webapp.domain.solvency.tree import NONCE_BYTES
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Deposit, Payout, Wallet
from webapp.models.types import Total
from webapp.services.coin_count import cancelled, total

FUND = "fund"
PARTS = 2
_OVER = ("broadcast", "confirmed", "failed")


@dataclass(frozen=True, slots=True)
class Owed:
    """Base units of one kind that are owed to one owner; `wallet_id` is None for the fund."""

    owner: str
    wallet_id: int | None
    kind: str
    amount: int


@dataclass(frozen=True, slots=True)
class OwnedLeaf:
    """A leaf of the tree, and whose it is."""

    wallet_id: int | None
    leaf: Leaf


def owner_of(wallet_id: int) -> str:
    """The owner's name in the tree."""
    return f"wallet:{wallet_id}"


def read(session: Session) -> list[Owed]:
    """Everything that is owed, inside the caller's snapshot."""
    found = [
        Owed(owner_of(wallet_id), wallet_id, kind, amount)
        for kind, amounts in _by_wallet(session)
        for wallet_id, amount in amounts
        if amount
    ]
    fund = _owed_to_fund(session)
    return [*found, Owed(FUND, None, "available", fund)] if fund else found


def leaves_of(owed: Iterable[Owed]) -> list[OwnedLeaf]:
    """Each amount cut at random into a few leaves with secret nonces, in the order of their hashes.

    Whoever proves their balance sees a neighbour's leaf: a random part of it tells nobody what the neighbour has.
    """
    owners = {}
    for each in owed:
        for number, amount in enumerate(_cut(each.amount), 1):
            leaf = Leaf(f"{each.owner}:{each.kind}:{number}", amount, secrets.token_bytes(NONCE_BYTES))
            owners[leaf.node.hash] = OwnedLeaf(each.wallet_id, leaf)
    return [owners[leaf.node.hash] for leaf in in_order(owned.leaf for owned in owners.values())]


def _cut(amount: int) -> list[int]:
    cuts = sorted(secrets.randbelow(amount + 1) for _ in range(PARTS - 1))
    edges = [0, *cuts, amount]
    return [end - start for start, end in itertools.pairwise(edges) if end > start]


def _by_wallet(session: Session) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    for kind, column in (("available", Wallet.available), ("held", Wallet.held)):
        rows = session.execute(select(Wallet.id, column).where(column > ZERO))
        yield kind, [(row[0], row[1].base_units) for row in rows]
    arriving = select(Deposit.wallet_id, _sum(Deposit.amount) - _sum(Deposit.shortfall)).where(
        Deposit.wallet_id.is_not(None), Deposit.status != "credited", Deposit.confirmations > 0
    )
    yield "arriving", _amounts(session, arriving.group_by(Deposit.wallet_id))
    leaving = select(Payout.wallet_id, _sum(Payout.gross)).where(_is_here(), Payout.wallet_id.is_not(None))
    yield "leaving", _amounts(session, leaving.group_by(Payout.wallet_id))


def _amounts(session: Session, statement: Select[Any]) -> list[tuple[int, int]]:
    return [(row[0], int(row[1])) for row in session.execute(statement)]


def _owed_to_fund(session: Session) -> int:
    holds = pooled.balance(session, accounts.FUND) + total(
        session, Payout.gross, _is_here(), Payout.wallet_id.is_(None)
    )
    set_aside = total(session, Payout.fee, _is_here(), Payout.fee_paid_by == "fund")
    is_away = and_(ChainTransaction.status == "broadcast", ChainTransaction.id.not_in(cancelled()))
    taken = total(session, ChainTransaction.fee, is_away, ChainTransaction.kind == "payouts")
    borne = total(session, Payout.fee, Payout.status == "broadcast", _is_not_cancelled())
    return max(holds + set_aside - max(taken - borne, 0), 0)


def _is_here() -> ColumnElement[bool]:
    """Payouts whose coins the daemon's wallet still has."""
    return Payout.status.not_in(_OVER) | and_(Payout.status == "broadcast", ~_is_not_cancelled())


def _is_not_cancelled() -> ColumnElement[bool]:
    return Payout.transaction_id.not_in(cancelled())


def _sum(column: object) -> ColumnElement[Any]:
    return cast(func.sum(type_coerce(column, BigInteger)), Total)
