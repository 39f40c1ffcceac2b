"""Balances for tests that need no coins: one journal entry from the outside into a wallet.

A test that compares the books with a real daemon must not use it: those coins would be missing there.
"""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import Wallet
from webapp.services.unit_of_work import unit_of_work


def credit(session: Session, wallet_id: int, amount: str) -> None:
    """Put `amount` FLOP (a decimal string) into the wallet's available balance, as a deposit would."""
    move = Move(accounts.CHAIN, accounts.available(wallet_id), Amount.parse(amount))
    with unit_of_work(session):
        post(session, f"test:{uuid.uuid4()}", "test_credit", [move])


def fill_fund(session: Session, amount: str) -> None:
    """Put `amount` FLOP into the community fund, as many releases would."""
    move = Move(accounts.CHAIN, accounts.FUND, Amount.parse(amount))
    with unit_of_work(session):
        post(session, f"test:{uuid.uuid4()}", "test_credit", [move])


def balances(session: Session, wallet_id: int) -> tuple[str, str]:
    """(available, held) as they stand in the database, with eight decimals."""
    session.rollback()  # an older snapshot would tell of the past
    wallet = session.get_one(Wallet, wallet_id, populate_existing=True)
    found = str(wallet.available), str(wallet.held)
    session.rollback()
    return found


def fund_balance(session: Session) -> str:
    """What the community fund holds, with eight decimals."""
    session.rollback()
    found = str(Amount(pooled.balance(session, accounts.FUND)))
    session.rollback()
    return found
