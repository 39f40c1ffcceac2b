"""What waits on somebody's desk: the escrows that need a party, and who the parties are. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, select
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
    pays = [Escrow.payer_wallet_id == wallet_id for wallet_id in wallet_ids]
    provides = [Escrow.provider_wallet_id == wallet_id for wallet_id in wallet_ids]
    is_unpaid = is_short() & (Escrow.fund_by > utcnow())

    def some(*scans: list[Scan]) -> list[Escrow]:
        return first_escrows(session, [scan for part in scans for scan in part], SHOWN)

    return Desk(
        to_accept=some(_scans(pays, Status.DELIVERED, Escrow.accept_by, ~Escrow.has_own_terms)),
        to_approve=some(
            _scans(pays, Status.DELIVERED, Escrow.expires_at, _awaits_payer()),
            _scans(pays, Status.ACTIVE, Escrow.expires_at, _awaits_payer()),
        ),
        to_deliver=some(_scans(provides, Status.ACTIVE, Escrow.expires_at, Escrow.expires_at > utcnow())),
        to_pay=some(_scans(pays, Status.PENDING, Escrow.fund_by, is_unpaid)),
        to_wait_for=some(_scans(pays, Status.ACTIVE, Escrow.expires_at)),
        to_be_paid=some(
            _scans(provides, Status.PENDING, Escrow.fund_by),
            _scans(pays, Status.PENDING, Escrow.fund_by, ~is_unpaid),
        ),
    )


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
