"""Wallets without a story: the ledger does not know what money is for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from webapp.models import User, Wallet
from webapp.services.unit_of_work import unit_of_work


@pytest.fixture
def make_wallet(session: Session) -> Callable[[], int]:
    """Makes wallets of one user; their ids."""
    with unit_of_work(session):
        user = User(email="owner@example.com", password_hash="none", role="payer")
        session.add(user)

    def make() -> int:
        with unit_of_work(session):
            wallet = Wallet(user_id=user.id)
            session.add(wallet)
        return wallet.id

    return make
