"""What waits on somebody's desk: the escrows that need a party, and who the parties are. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Status
from webapp.models import Escrow, EscrowTerms, SigningKey, Wallet
from webapp.services.escrow_payments import is_short

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
    pays, provides = Escrow.payer_wallet_id.in_(wallet_ids), Escrow.provider_wallet_id.in_(wallet_ids)
    is_delivered, is_active = Escrow.status == Status.DELIVERED, Escrow.status == Status.ACTIVE
    in_time = Escrow.expires_at > utcnow()
    is_pending, is_unpaid = Escrow.status == Status.PENDING, is_short() & (Escrow.fund_by > utcnow())
    return Desk(
        to_accept=_some(session, Escrow.accept_by, pays, is_delivered, ~Escrow.has_own_terms),
        to_approve=_some(session, Escrow.expires_at, pays, is_delivered | is_active, _awaits_payer()),
        to_deliver=_some(session, Escrow.expires_at, provides, is_active, in_time),
        to_pay=_some(session, Escrow.fund_by, pays, is_pending, is_unpaid),
        to_wait_for=_some(session, Escrow.expires_at, pays, is_active),
        to_be_paid=_some(session, Escrow.fund_by, provides | (pays & ~is_unpaid), is_pending),
    )


def _awaits_payer() -> ColumnElement[bool]:
    """Whether an escrow's own terms ask for its payer's approval now."""
    asks = exists().where(EscrowTerms.escrow_id == Escrow.id, EscrowTerms.awaits_payer)
    return Escrow.has_own_terms & asks


def has_any(session: Session, wallet_ids: Collection[int]) -> bool:
    """Whether these wallets were ever part of an escrow."""
    sides = (Escrow.payer_wallet_id, Escrow.provider_wallet_id)
    return any(
        session.scalars(select(Escrow.id).where(side.in_(wallet_ids)).limit(1)).first() is not None
        for side in sides
    )


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


def _some(session: Session, order, *conditions) -> list[Escrow]:  # type: ignore[no-untyped-def]
    return list(session.scalars(select(Escrow).where(*conditions).order_by(order).limit(SHOWN)))
