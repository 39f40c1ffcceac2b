"""What waits on somebody's desk: the escrows that need a party, and who the parties are. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Status
from webapp.models import Escrow, EscrowTerms, SigningKey, Wallet
from webapp.services.escrow_payments import is_short
from webapp.services.escrow_scans import Scan, first_escrows, is_in

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Desk:
    """Escrows by what is asked of the reader, the most urgent first; at most `SHOWN` of each."""

    to_accept: list[Escrow]
    to_approve: list[Escrow]
    to_deliver: list[Escrow]
    to_pay: list[Escrow]
    to_wait_for: list[Escrow]
    to_be_paid: list[Escrow]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked of the reader."""
        return not (self.to_accept or self.to_approve or self.to_deliver or self.to_pay)


def desk(session: Session, wallet_ids: Collection[int]) -> Desk:
    """What the owner of these wallets is asked to do now, and what they wait for."""
    if not wallet_ids:
        return Desk([], [], [], [], [], [])
    values = {"now": utcnow(), **{f"wallet_{n}": each for n, each in enumerate(sorted(wallet_ids))}}
    return Desk(*(list(session.scalars(each, values)) for each in _statements(len(wallet_ids))))


@lru_cache(maxsize=20)
def _statements(wallets: int) -> tuple[Select[Escrow], ...]:
    """One for each part of the desk of so many wallets, in the order of `Desk`."""
    wallet: list[Any] = [bindparam(f"wallet_{number}") for number in range(wallets)]
    pays, provides = (
        [side == each for each in wallet] for side in (Escrow.payer_wallet_id, Escrow.provider_wallet_id)
    )
    now = bindparam("now", type_=Escrow.fund_by.type)
    is_unpaid = is_short() & (Escrow.fund_by > now)
    accept, expire, fund = Escrow.accept_by, Escrow.expires_at, Escrow.fund_by
    parts = (
        _scans(pays, Status.DELIVERED, accept, ~Escrow.has_own_terms),
        _scans(pays, Status.DELIVERED, expire, _awaits_payer())
        + _scans(pays, Status.ACTIVE, expire, _awaits_payer()),
        _scans(provides, Status.ACTIVE, expire, expire > now),
        _scans(pays, Status.PENDING, fund, is_unpaid),
        _scans(pays, Status.ACTIVE, expire),
        _scans(provides, Status.PENDING, fund) + _scans(pays, Status.PENDING, fund, ~is_unpaid),
    )
    return tuple(first_escrows(scans, SHOWN) for scans in parts)


def _scans(
    sides: Iterable[ColumnElement[bool]],
    status: Status,
    order: InstrumentedAttribute[Any],
    *conditions: ColumnElement[bool],
) -> list[Scan]:
    return [Scan((side, is_in(status), *conditions), (order, Escrow.id), order) for side in sides]


def _awaits_payer() -> ColumnElement[bool]:
    """Whether an escrow's own terms ask for its payer's approval now."""
    asks = exists().where(EscrowTerms.escrow_id == Escrow.id, EscrowTerms.awaits_payer)
    return Escrow.has_own_terms & asks


def has_any(session: Session, wallet_ids: Collection[int]) -> bool:
    """Whether these wallets were ever part of an escrow."""
    sides = (Escrow.payer_wallet_id, Escrow.provider_wallet_id)
    # With an order it is one look into an index, also for a wallet that has none.
    firsts = (
        select(Escrow.id).where(side == wallet_id).order_by(Escrow.status).limit(1)
        for side in sides
        for wallet_id in wallet_ids
    )
    return any(session.scalars(first).first() is not None for first in firsts)


def owners(session: Session, wallet_ids: Iterable[int]) -> dict[int, int]:
    """The user of each wallet: wallet id to user id."""
    rows = session.execute(select(Wallet.id, Wallet.user_id).where(Wallet.id.in_(set(wallet_ids))))
    return {row.id: row.user_id for row in rows}


def wallets_of_keys(session: Session, key_ids: Collection[str]) -> dict[str, int]:
    """The wallet of each signing key: key id to wallet id."""
    if not key_ids:
        return {}
    rows = session.execute(select(SigningKey.id, SigningKey.wallet_id).where(SigningKey.id.in_(key_ids)))
    return {row.id: row.wallet_id for row in rows}
