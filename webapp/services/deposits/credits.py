"""Crediting a deposit, and taking the credit back when the chain does. Each is one journal entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.ledger.many_entries import Entry, post_all
from webapp.models import Deposit, Wallet
from webapp.services import escrow_funding
from webapp.services.escrow_funding import EscrowFunding
from webapp.services.payouts.halts import raise_alert

log = structlog.get_logger(__name__)


def credit(session: Session, deposit: Deposit, settings: Settings) -> None:
    """Give the deposit to its wallet, in the caller's unit of work. What an earlier round lost is made good first.

    A deposit at an escrow's address pays for the escrow, and what that does not take goes to the payer. One without a
    wallet comes back from cold storage.
    """
    if deposit.escrow_id is None:
        credit_all(session, [deposit])
        return
    deposit.credit_round += 1
    funding = EscrowFunding(session, settings)
    claim = funding.claim(deposit)
    post_all(session, [_credit_entry(deposit, claim.held)])
    _mark_credited(deposit)
    funding.send_home(deposit.escrow_id, claim.surplus)


def credit_all(session: Session, deposits: Sequence[Deposit]) -> None:
    """`credit` for many that came to no escrow's address, in a fixed number of statements.

    The caller holds their wallets (`lock_wallets`).
    """
    for deposit in deposits:
        deposit.credit_round += 1
        if deposit.wallet_id is None:
            deposit.disposition = "refill"
    entries = [_credit_entry(deposit, ZERO) for deposit in deposits]
    for deposit in deposits:
        _mark_credited(deposit)
    post_all(session, entries)


def lock_wallets(session: Session, deposits: Iterable[Deposit]) -> None:
    """Wait for their wallets, in id order, which is how everybody takes them."""
    wallet_ids = {deposit.wallet_id for deposit in deposits if deposit.wallet_id is not None}
    if not wallet_ids:
        return
    statement = select(Wallet.id).where(Wallet.id.in_(wallet_ids)).order_by(Wallet.id)
    session.execute(statement.with_for_update(key_share=True))


def _credit_entry(deposit: Deposit, held: Amount) -> Entry:
    if deposit.wallet_id is None:
        moves = [Move(accounts.CHAIN, accounts.COLD, deposit.amount)]
    else:
        rest = deposit.amount - deposit.shortfall - held
        moves = [
            Move(accounts.CHAIN, accounts.LOSSES, deposit.shortfall),
            Move(accounts.CHAIN, accounts.held(deposit.wallet_id), held),
            Move(accounts.CHAIN, accounts.available(deposit.wallet_id), rest),
        ]
    return Entry(_key(deposit, "credit"), "deposit_credit", deposit.escrow_id, utcnow(), tuple(moves))


def _mark_credited(deposit: Deposit) -> None:
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
