"""Payouts before they reach the chain: asked for, paid by themselves, redirected, returned.

A payout is queued in the transaction of its cause. From then on the money is in `payouts_in_flight`, and only
settlement (or a return by a reversing entry) takes it out of there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.addresses import check_address
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidAmountError, NotFoundError, PayoutStateError
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import Payout, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services import audit_trail
from webapp.services.unit_of_work import unit_of_work


class PayoutQueue:
    """The entrance of settlement."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._wallet_settings = settings.wallet

    def withdraw(self, wallet_id: int, address: str, amount: Amount) -> Payout:
        """Queue what the owner asked for. Raises InvalidAddressError, InvalidAmountError, InsufficientFundsError."""
        check_address(address, self._wallet_settings.network)
        least = self._wallet_settings.min_payout
        if amount < least:
            message = f"must be at least {least} FLOP, so that what arrives is more than dust after the fee"
            raise InvalidAmountError(f"amount: {message}", fields={"amount": message})
        with unit_of_work(self._session):
            return self._queue(wallet_id, address, amount, None)

    def queue_earning(self, wallet_id: int, amount: Amount, escrow_id: uuid.UUID) -> Payout | None:
        """Queue what a release earned, when its wallet wants that, in the release's unit of work.

        None when it stays in the balance: no payout address, a frozen wallet, or too little to be sent.
        """
        wallet = self._session.get_one(Wallet, wallet_id, populate_existing=True)
        if not wallet.payout_address or wallet.is_frozen or amount < self._wallet_settings.min_payout:
            return None
        return self._queue(wallet_id, wallet.payout_address, amount, escrow_id)

    def redirect(self, payout_id: uuid.UUID, wallet_ids: frozenset[int], address: str) -> Payout:
        """Change the destination while nobody has claimed the payout. Raises PayoutStateError afterwards."""
        check_address(address, self._wallet_settings.network)
        with unit_of_work(self._session):
            payout = self._own(payout_id, wallet_ids)
            self._take_from_queue(payout, address=address)
            record(self._session, payout, "payout_redirected", {})
        return payout

    def cancel(self, payout_id: uuid.UUID, wallet_ids: frozenset[int]) -> Payout:
        """Take a payout back into the balance while nobody has claimed it. Raises PayoutStateError afterwards."""
        with unit_of_work(self._session):
            payout = self._own(payout_id, wallet_ids)
            self._take_from_queue(payout, status="failed")
            return_to_wallet(self._session, payout, "taken back by its owner")
        return payout

    def _own(self, payout_id: uuid.UUID, wallet_ids: frozenset[int]) -> Payout:
        payout = self._session.get(Payout, payout_id, populate_existing=True)
        if payout is None or payout.wallet_id not in wallet_ids:
            raise NotFoundError("there is no such payout")
        return payout

    def _take_from_queue(self, payout: Payout, **values: str) -> None:
        """Change a queued payout; the row count decides between its owner and a worker that claims it."""
        statement = update(Payout).where(Payout.id == payout.id, Payout.status == "queued").values(**values)
        if not changes_one_row(self._session, statement):
            raise PayoutStateError("the payout is on its way; nothing about it can be changed")
        self._session.refresh(payout)

    def _queue(self, wallet_id: int, address: str, gross: Amount, escrow_id: uuid.UUID | None) -> Payout:
        payout = Payout(
            id=uuid7(),
            wallet_id=wallet_id,
            escrow_id=escrow_id,
            address=address,
            gross=gross,
            fee_paid_by=self._wallet_settings.fee_paid_by,
            reason="waiting for the next batch",
        )
        move = Move(accounts.available(wallet_id), accounts.PAYOUTS_IN_FLIGHT, gross)
        post(self._session, f"payout:{payout.id}:queue", "payout_queue", [move])
        self._session.add(payout)
        self._session.flush()
        return payout


def return_to_wallet(session: Session, payout: Payout, reason: str) -> None:
    """Fail a payout that is provably not on the network, and give its money back, in the caller's unit of work."""
    payout.status, payout.status_since, payout.reason = "failed", utcnow(), reason[:500]
    payout.claim_token = payout.claimed_until = payout.transaction_id = payout.output_index = None
    payout.fee = payout.net = None
    move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.available(payout.wallet_id), payout.gross)
    post(session, f"payout:{payout.id}:return", "payout_return", [move], even_if_frozen=True)
    record(session, payout, "payout_failed", {"reason": reason[:500]})


def record(session: Session, payout: Payout, kind: str, detail: Mapping[str, str | int]) -> None:
    """Put an event of the payout on the timeline of the escrow that caused it, if one did."""
    if payout.escrow_id is None:
        return
    audit_trail.lock(session, payout.escrow_id)
    audit_trail.append(
        session,
        payout.escrow_id,
        kind,
        "worker",
        amount=payout.gross,
        detail={"payout_id": str(payout.id), **detail},
    )
