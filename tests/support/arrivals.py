"""Escrows with an address of their own, and payments to them, for tests that need no chain."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import ChainCursor, Deposit, DepositAddress, Escrow
from webapp.services.deposits import credits as deposit_credits
from webapp.services.unit_of_work import unit_of_work


def stock_addresses(session: Session, count: int = 1) -> None:
    """Let so many addresses wait; they are texts that no daemon knows."""
    with unit_of_work(session):
        session.add_all(DepositAddress(address=f"address-{uuid.uuid4()}") for _ in range(count))


def see_payment(
    session: Session, escrow: Escrow, amount: str, *, confirmations: int = 0, seen_at: datetime | None = None
) -> Deposit:
    """A payment to the escrow's address that the worker has seen and not credited."""
    assert escrow.deposit_address is not None
    with unit_of_work(session):
        deposit = Deposit(
            wallet_id=escrow.payer_wallet_id,
            escrow_id=escrow.id,
            address=escrow.deposit_address,
            txid=uuid.uuid4().hex * 2,
            vout=1,
            amount=Amount.parse(amount),
            confirmations=confirmations,
            first_seen_at=seen_at or utcnow(),
        )
        session.add(deposit)
    return deposit


def credit_payment(session: Session, settings: Settings, deposit: Deposit) -> None:
    """What the worker does when it lies deep enough."""
    with unit_of_work(session):
        deposit.confirmations = settings.wallet.confirmations_required
        deposit_credits.credit(session, deposit, settings)


def take_payment_back(session: Session, deposit: Deposit) -> None:
    """What the worker does when the chain undid it."""
    with unit_of_work(session):
        deposit.confirmations = 0
        deposit_credits.take_back(session, deposit)


def chain_was_read(session: Session, at: datetime) -> None:
    """Let the worker have read the chain at this moment."""
    with unit_of_work(session):
        cursor = session.get(ChainCursor, 1) or ChainCursor(id=1, since_block="", tip_hash="", tip_height=0)
        cursor.read_at = at
        session.add(cursor)
