"""Crediting a deposit, and taking the credit back when the chain does. Each is one journal entry."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.models import Deposit, Wallet
from webapp.services.payouts.halts import raise_alert

log = structlog.get_logger(__name__)


def credit(session: Session, deposit: Deposit) -> None:
    """Give the deposit to its wallet, in the caller's unit of work. What an earlier round lost is made good first.

    A deposit without a wallet comes back from cold storage.
    """
    deposit.credit_round += 1
    if deposit.wallet_id is None:
        destination, deposit.disposition = accounts.COLD, "refill"
    else:
        destination = accounts.available(deposit.wallet_id)
    moves = [
        Move(accounts.CHAIN, accounts.LOSSES, deposit.shortfall),
        Move(accounts.CHAIN, destination, deposit.amount - deposit.shortfall),
    ]
    post(session, _key(deposit, "credit"), "deposit_credit", moves)
    deposit.status, deposit.credited_at, deposit.shortfall = "credited", utcnow(), ZERO


def take_back(session: Session, deposit: Deposit) -> None:
    """The chain undid the deposit: take it out of the wallet, in the caller's unit of work.

    What was spent already cannot be taken: it is booked as a loss, the wallet is frozen and an alert is raised.
    """
    if deposit.wallet_id is None:
        move = Move(accounts.COLD, accounts.CHAIN, deposit.amount)
        post(session, _key(deposit, "reverse"), "deposit_reverse", [move])
        deposit.status = "reversed"
        return
    wallet = session.get_one(Wallet, deposit.wallet_id, populate_existing=True, with_for_update=True)
    there = Amount(min(wallet.available.base_units, deposit.amount.base_units))
    shortfall = deposit.amount - there
    moves = [
        Move(accounts.available(wallet.id), accounts.CHAIN, there),
        Move(accounts.LOSSES, accounts.CHAIN, shortfall),
    ]
    post(session, _key(deposit, "reverse"), "deposit_reverse", moves, even_if_frozen=True)
    deposit.status, deposit.shortfall = "reversed", shortfall
    log.warning("deposit_taken_back", txid=deposit.txid, wallet=wallet.id, shortfall=str(shortfall))
    if shortfall:
        session.refresh(wallet)
        wallet.is_frozen = True
        detail = f"wallet {wallet.id} had spent {shortfall} FLOP of a deposit that the chain undid"
        raise_alert(session, "deposit_lost", f"{deposit.txid}:{deposit.vout}", detail)


def _key(deposit: Deposit, event: str) -> str:
    return f"deposit:{deposit.txid}:{deposit.vout}:{event}:{deposit.credit_round}"
