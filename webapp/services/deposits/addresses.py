"""Deposit addresses: a stock of the daemon's addresses, handed out for ever: to wallets, to escrows, for refills.

The worker keeps the stock filled, so that a new account has an address even while the daemon is down.
"""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.addresses import is_address
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import WalletIntegrationError, WrongNetworkError
from webapp.domain.said import said
from webapp.models import DepositAddress
from webapp.models.insert_once import insert_once
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.unit_of_work import unit_of_work


def current(session: Session, wallet_id: int) -> str | None:
    """The address that was given to the wallet last, or None."""
    return session.scalars(
        select(DepositAddress.address)
        .where(DepositAddress.wallet_id == wallet_id, DepositAddress.purpose == "wallet")
        .order_by(DepositAddress.assigned_at.desc())
        .limit(1)
    ).first()


def ensure(session: Session, daemon: DaemonWallet | None, wallet_id: int) -> str | None:
    """The wallet's address; a first one from the stock or the daemon if it has none. None when neither can give one.

    Without a daemon only the stock is asked, and nobody waits.
    """
    address = current(session, wallet_id) or take(session, "wallet", wallet_id)
    if address is not None or daemon is None:
        return address
    try:
        fill_stock(session, daemon, 1)
    except WalletIntegrationError:
        return None  # The page says that the chain is out of reach; the address comes with the next visit.
    return take(session, "wallet", wallet_id)


def has_stock(session: Session) -> bool:
    """Whether an address waits to be given out."""
    waiting = select(DepositAddress.address).where(DepositAddress.purpose == "stock").limit(1)
    return session.scalars(waiting).first() is not None


def fill_stock(session: Session, daemon: DaemonWallet, size: int) -> None:
    """Ask the daemon for addresses until `size` wait. Raises WalletIntegrationError; what was got is kept.

    The daemon's network is checked first: an address of another network would be lost coins.
    """
    waiting = select(func.count()).where(DepositAddress.purpose == "stock")
    missing = size - session.execute(waiting).scalar_one()
    if missing <= 0:
        return
    session.commit()
    daemon.require_network()
    for _ in range(missing):
        address = daemon.new_address("")
        with unit_of_work(session):
            insert_once(session, DepositAddress, {"address": address, "purpose": "stock"})


def require_same_network(session: Session, network: str) -> None:
    """Raise WrongNetworkError when the database's addresses are another network's: its balances are, too.

    One question to one row: all addresses of a database come from one daemon.
    """
    known = session.scalars(select(DepositAddress.address).limit(1)).first()
    session.commit()
    if known is not None and not is_address(known, network):
        raise WrongNetworkError(
            said(
                "wallet.network is {network}, but this database was used on another network: its "
                "accounts and balances belong there. Use another instance folder or database.url.",
                network=network,
            )
        )


def take(
    session: Session, purpose: str, wallet_id: int | None = None, escrow_id: uuid.UUID | None = None
) -> str | None:
    """Give an address of the stock to a wallet, to an escrow of a payer's wallet, or to refills; None when it is empty.

    Joins the caller's unit of work, so that an escrow and its address come into being together.
    """
    with unit_of_work(session):
        free = (
            select(DepositAddress.address)
            .where(DepositAddress.purpose == "stock")
            .order_by(DepositAddress.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        return session.execute(
            update(DepositAddress)
            .where(DepositAddress.address == free, DepositAddress.purpose == "stock")
            .values(purpose=purpose, wallet_id=wallet_id, escrow_id=escrow_id, assigned_at=utcnow())
            .returning(DepositAddress.address)
            .execution_options(synchronize_session=False)
        ).scalar()
