"""Crediting a deposit, and taking the credit back when the chain does. Each is one journal entry."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.models import Deposit, Wallet
from webapp.services import escrow_funding
from webapp.services.escrow_funding import Claim, EscrowFunding
from webapp.services.payouts.halts import raise_alert

log = structlog.get_logger(__name__)


def credit(session: Session, deposit: Deposit, settings: Settings) -> None:
    """Give the deposit to its wallet, in the caller's unit of work. What an earlier round lost is made good first.

    A deposit at an escrow's address pays for the escrow, and what that does not take goes to the payer. One without a
    wallet comes back from cold storage.
    """
    deposit.credit_round += 1
    if deposit.wallet_id is None:
        deposit.disposition = "refill"
        _post_credit(session, deposit, [Move(accounts.CHAIN, accounts.COLD, deposit.amount)])
        return
    funding = EscrowFunding(session, settings)
    claim = funding.claim(deposit) if deposit.escrow_id else Claim(ZERO, ZERO)
    rest = deposit.amount - deposit.shortfall - claim.held
    moves = [
        Move(accounts.CHAIN, accounts.LOSSES, deposit.shortfall),
        Move(accounts.CHAIN, accounts.held(deposit.wallet_id), claim.held),
        Move(accounts.CHAIN, accounts.available(deposit.wallet_id), rest),
    ]
    _post_credit(session, deposit, moves)
    if deposit.escrow_id:
        funding.send_home(deposit.escrow_id, claim.surplus)


def _post_credit(session: Session, deposit: Deposit, moves: list[Move]) -> None:
    post(session, _key(deposit, "credit"), "deposit_credit", moves, escrow_id=deposit.escrow_id)
    deposit.status, deposit.credited_at, deposit.shortfall = "credited", utcnow(), ZERO


def take_back(session: Session, deposit: Deposit) -> None:
    """The chain undid the deposit: take it out of the wallet, in the caller's unit of work.

    What was spent already cannot be taken: it is booked as a loss, the wallet is frozen and an alert is raised.
    """
    if deposit.wallet_id is None:
        _post_reverse(session, deposit, [Move(accounts.COLD, accounts.CHAIN, deposit.amount)])
        return
    given = escrow_funding.give_up(session, deposit) if deposit.escrow_id else ZERO
    wallet = session.get_one(Wallet, deposit.wallet_id, populate_existing=True, with_for_update=True)
    there = min(wallet.available, deposit.amount - given)
    shortfall = deposit.amount - given - there
    moves = [
        Move(accounts.held(wallet.id), accounts.CHAIN, given),
        Move(accounts.available(wallet.id), accounts.CHAIN, there),
        Move(accounts.LOSSES, accounts.CHAIN, shortfall),
    ]
    _post_reverse(session, deposit, moves, shortfall)
    log.warning("deposit_taken_back", txid=deposit.txid, wallet=wallet.id, shortfall=str(shortfall))
    if shortfall:
        session.refresh(wallet)
        wallet.is_frozen = True
        detail = f"wallet {wallet.id} had spent {shortfall} FLOP of a deposit that the chain undid"
        raise_alert(session, "deposit_lost", f"{deposit.txid}:{deposit.vout}", detail)


def _post_reverse(session: Session, deposit: Deposit, moves: list[Move], shortfall: Amount = ZERO) -> None:
    key = _key(deposit, "reverse")
    post(session, key, "deposit_reverse", moves, escrow_id=deposit.escrow_id, even_if_frozen=True)
    deposit.status, deposit.shortfall = "reversed", shortfall


def _key(deposit: Deposit, event: str) -> str:
    return f"deposit:{deposit.txid}:{deposit.vout}:{event}:{deposit.credit_round}"
