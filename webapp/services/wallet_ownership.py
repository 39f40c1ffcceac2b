"""Whose wallets are whose, and what an owner decides about a wallet: where its earnings are paid out to."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.models import User, Wallet
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.unit_of_work import unit_of_work


def list_wallets(session: Session, user_id: int) -> list[Wallet]:
    """The user's wallets, the first one first."""
    return list(session.scalars(select(Wallet).where(Wallet.user_id == user_id).order_by(Wallet.id)))


def actor_of_person(session: Session, user: User) -> Actor:
    """The user as the rules and the audit trail see them: acting for all of their wallets."""
    ids = session.scalars(select(Wallet.id).where(Wallet.user_id == user.id))
    return Actor(name=f"user:{user.id}", wallet_ids=frozenset(ids), user_id=user.id, role=Role(user.role))


def set_payout_address(
    session: Session, daemon: DaemonWallet, actor: Actor, wallet_id: int, address: str
) -> None:
    """Pay the wallet's earnings out to `address` from here on; with an empty one they stay in the balance.

    Payouts that are queued already keep their destination. Raises NotFoundError for a wallet of somebody else,
    InvalidAddressError naming `payout_address`.
    """
    if wallet_id not in actor.wallet_ids:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    if address:
        daemon.validate_payout_address(address, "payout_address")
    with unit_of_work(session):
        session.execute(update(Wallet).where(Wallet.id == wallet_id).values(payout_address=address or None))
