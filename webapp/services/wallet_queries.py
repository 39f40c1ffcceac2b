"""What a wallet looks like to its owner: balances, deposits, payouts. Reads only.

Whoever calls has made sure that the wallet is the reader's; `get_own_payout` does so itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.domain.payout_states import PASSING
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Deposit, Payout, Wallet
from webapp.models.types import Total


@dataclass(frozen=True, slots=True)
class WalletOverview:
    """A wallet's four figures.

    `available` may be spent and `held` is locked in escrows. `incoming` was seen on the chain (without confirmations,
    too) and is not credited yet; `outgoing` left the balance and is not final on the chain.
    """

    wallet_id: int
    name: str
    available: Amount
    held: Amount
    incoming: Amount
    outgoing: Amount
    is_frozen: bool
    payout_address: str | None


def overview(session: Session, wallet_id: int) -> WalletOverview:
    """The wallet's figures from one snapshot. Raises NotFoundError."""
    # Below zero confirmations another transaction took its place. What was lost of a deposit is made good first.
    incoming = _sum(Deposit.amount, -1 * _units(Deposit.shortfall)).where(
        Deposit.wallet_id == wallet_id, Deposit.status != "credited", Deposit.confirmations >= 0
    )
    outgoing = _sum(Payout.gross).where(Payout.wallet_id == wallet_id, Payout.status.in_(PASSING))
    row = session.execute(
        select(
            Wallet.name,
            Wallet.available,
            Wallet.held,
            Wallet.is_frozen,
            Wallet.payout_address,
            incoming.scalar_subquery().label("incoming"),
            outgoing.scalar_subquery().label("outgoing"),
        ).where(Wallet.id == wallet_id)
    ).first()
    if row is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    return WalletOverview(
        wallet_id=wallet_id,
        name=row.name,
        available=row.available,
        held=row.held,
        incoming=Amount(int(row.incoming)),
        outgoing=Amount(int(row.outgoing)),
        is_frozen=row.is_frozen,
        payout_address=row.payout_address,
    )


def list_deposits(
    session: Session, wallet_id: int, *, limit: int | None = None, cursor: str | None = None
) -> Page[Deposit]:
    """What arrived or is arriving, the newest first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, row_id)
    statement = select(Deposit).where(Deposit.wallet_id == wallet_id)
    if after is not None:
        statement = statement.where(Deposit.id < after)
    rows = session.scalars(_fresh(statement.order_by(Deposit.id.desc()).limit(size + 1)))
    return Page.of(list(rows), size, lambda deposit: deposit.id)


def list_payouts(
    session: Session, wallet_id: int, *, limit: int | None = None, cursor: str | None = None
) -> Page[Payout]:
    """What left or is leaving, the newest first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, uuid.UUID)
    statement = select(Payout).where(Payout.wallet_id == wallet_id)
    if after is not None:
        statement = statement.where(Payout.id < after)
    rows = session.scalars(_fresh(statement.order_by(Payout.id.desc()).limit(size + 1)))
    return Page.of(list(rows), size, lambda payout: payout.id)


def list_payouts_of_escrow(
    session: Session, escrow_id: uuid.UUID, wallet_ids: Collection[int]
) -> list[Payout]:
    """The payouts that an escrow's release queued, as far as they are of these wallets."""
    statement = select(Payout).where(Payout.escrow_id == escrow_id, Payout.wallet_id.in_(wallet_ids))
    return list(session.scalars(_fresh(statement.order_by(Payout.id))))


def get_own_payout(session: Session, actor: Actor, payout_id: uuid.UUID) -> Payout:
    """A payout of one of the actor's wallets. Raises NotFoundError."""
    payout = session.get(Payout, payout_id, populate_existing=True)
    if payout is None or payout.wallet_id not in actor.wallet_ids:
        raise NotFoundError(said("there is no such payout, or it is not yours"))
    return payout


def _sum(*columns: Any) -> Select[Any]:
    total = cast(func.sum(sum(map(_units, columns))), Total)
    return select(func.coalesce(total, 0))


def _units(column: Any) -> ColumnElement[int]:
    return type_coerce(column, BigInteger)


def _fresh(statement: Select[Any]) -> Select[Any]:
    return statement.execution_options(populate_existing=True)
