"""Payouts before they reach the chain: asked for, paid by themselves, redirected, returned.

A payout is queued in the transaction of its cause. From then on the money is in `payouts_in_flight`, and only
settlement (or a return by a reversing entry) takes it out of there. Limits are looked at here, on the way in.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import and_, case, null, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.addresses import check_address
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidAmountError, NotFoundError, PayoutStateError
from webapp.domain.money import Amount
from webapp.domain.payout_states import OwnerAction, owner_may
from webapp.domain.roles import PROGRAM, WORKER, Actor
from webapp.domain.said import said
from webapp.ledger.journal import Move, post
from webapp.models import Payout, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services import audit_trail
from webapp.services.custody import limits
from webapp.services.custody.limits import WithdrawalLimitError
from webapp.services.payouts.trail import record
from webapp.services.unit_of_work import unit_of_work

WAITING = said("waiting for the next batch")
AWAITING_APPROVAL = said("waiting until an operator approves it")
# Both parties of an escrow read its trail; why a payout failed is for its payee, who reads it with the payout.
NOT_SENT = said("it was not sent")


class PayoutQueue:
    """The entrance of settlement."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._wallet_settings = settings.wallet

    def withdraw(self, wallet_id: int, address: str, amount: Amount, actor: Actor = PROGRAM) -> Payout:
        """Queue what `actor` asks for, or have it wait for an operator's approval.

        Raises InvalidAddressError, InvalidAmountError, WithdrawalLimitError, InsufficientFundsError.
        """
        check_address(address, self._wallet_settings.network)
        least = self._wallet_settings.min_payout
        if amount < least:
            message = said(
                "must be at least {least} FLOP, so that what arrives is more than dust after the fee",
                least=least,
            )
            raise InvalidAmountError(
                said("{field}: {message}", field="amount", message=message), fields={"amount": message}
            )
        with unit_of_work(self._session):
            status = limits.admit(self._session, self._settings, wallet_id, amount)
            return self._enter(status, wallet_id, address, amount, actor.name, None)

    def queue_earning(self, wallet_id: int, amount: Amount, escrow_id: uuid.UUID) -> Payout | None:
        """Queue what a release earned, when its wallet wants that, in the release's unit of work.

        None when it stays in the balance: no payout address, a frozen wallet, too little to be sent, or more than may
        leave at present.
        """
        wallet = self._session.get_one(Wallet, wallet_id, populate_existing=True)
        if not wallet.payout_address:
            return None
        return self._leave_if_possible(wallet, wallet.payout_address, amount, escrow_id)

    def queue_share(
        self, wallet_id: int, address: str, amount: Amount, asked_by: str = WORKER.name
    ) -> Payout | None:
        """Send a node's share of an airdrop to where the node wants it, in the caller's unit of work.

        `asked_by` gave the airdrop: if the share has to be approved, that is for another operator.

        It is in the wallet's balance already, and stays there (None) when the wallet is frozen, when it is too little
        to be sent, or more than may leave at present. Raises InsufficientFundsError when it has been spent meanwhile.
        """
        wallet = self._session.get_one(Wallet, wallet_id, populate_existing=True)
        return self._leave_if_possible(wallet, address, amount, None, asked_by)

    def queue_gift(self, address: str, amount: Amount, asked_by: str = WORKER.name) -> Payout | None:
        """Send coins of the community fund to an address that has no wallet here, in the caller's unit of work.

        The caller's journal entry moves `amount` from the fund into `payouts_in_flight`. None when it is too little to
        be sent; what goes beyond `custody.approval_above` in 24 hours, together with all other gifts, waits
        for the approval of an operator other than `asked_by`, who gives it. Raises InvalidAddressError.
        """
        check_address(address, self._wallet_settings.network)
        if amount < self._wallet_settings.min_payout:
            return None
        is_large = limits.gift_needs_approval(self._session, self._settings, amount)
        status = "awaiting_approval" if is_large else "queued"
        payout = self._made(status, None, address, amount, asked_by, None)
        self._session.add(payout)
        self._session.flush()
        return payout

    def queue_refund(
        self, wallet_id: int, address: str, amount: Amount, escrow_id: uuid.UUID
    ) -> Payout | None:
        """Send what an escrow gives back to where its payer wants it, in the caller's unit of work.

        None when it stays in the balance: a frozen wallet, or too little to be sent. These are coins on their way
        home: beyond what may leave at present they do not stay, but wait for an operator's approval.
        """
        wallet = self._session.get_one(Wallet, wallet_id, populate_existing=True)
        if wallet.is_frozen or amount < self._wallet_settings.min_payout:
            return None
        try:
            status = limits.admit(self._session, self._settings, wallet_id, amount)
        except WithdrawalLimitError:
            status = "awaiting_approval"
        return self._enter(status, wallet_id, address, amount, WORKER.name, escrow_id)

    def redirect(self, payout_id: uuid.UUID, wallet_ids: frozenset[int], address: str) -> Payout:
        """Change the destination while nobody has claimed the payout. Raises PayoutStateError afterwards.

        An approval was given to the old destination: with another one the payout waits for a new approval; one that is
        held, when it is let go.
        """
        check_address(address, self._wallet_settings.network)
        with unit_of_work(self._session):
            payout = self._own(payout_id, wallet_ids)
            is_void = and_(Payout.approved_by.is_not(None), Payout.address != address)
            waits_anew = and_(is_void, Payout.status != "held")
            self._change_waiting(
                payout,
                OwnerAction.REDIRECT,
                address=address,
                status=case((waits_anew, "awaiting_approval"), else_=Payout.status),
                status_since=case((waits_anew, utcnow()), else_=Payout.status_since),
                reason=case((waits_anew, AWAITING_APPROVAL), else_=Payout.reason),
                approved_by=case((is_void, null()), else_=Payout.approved_by),
            )
            record(self._session, payout, "payout_redirected", {})
        return payout

    def cancel(self, payout_id: uuid.UUID, wallet_ids: frozenset[int]) -> Payout:
        """Take a payout back into the balance while nobody has claimed it. Raises PayoutStateError afterwards."""
        with unit_of_work(self._session):
            payout = self._own(payout_id, wallet_ids)
            self._change_waiting(payout, OwnerAction.TAKE_BACK, status="failed")
            return_to_wallet(self._session, payout, said("taken back by its owner"))
        return payout

    def _leave_if_possible(
        self,
        wallet: Wallet,
        address: str,
        amount: Amount,
        escrow_id: uuid.UUID | None,
        asked_by: str = WORKER.name,
    ) -> Payout | None:
        if wallet.is_frozen or amount < self._wallet_settings.min_payout:
            return None
        try:
            status = limits.admit(self._session, self._settings, wallet.id, amount)
        except WithdrawalLimitError:
            return None
        return self._enter(status, wallet.id, address, amount, asked_by, escrow_id)

    def _own(self, payout_id: uuid.UUID, wallet_ids: frozenset[int]) -> Payout:
        payout = self._session.get(Payout, payout_id, populate_existing=True)
        if payout is None or payout.wallet_id not in wallet_ids:
            raise NotFoundError(said("there is no such payout"))
        return payout

    def _change_waiting(self, payout: Payout, action: OwnerAction, **values: Any) -> None:
        """Change one that nobody works on; the row count decides between its owner and a worker that claims it."""
        waits = (Payout.id == payout.id) & Payout.status.in_(owner_may(action))
        if not changes_one_row(self._session, update(Payout).where(waits).values(**values)):
            raise PayoutStateError(said("the payout is on its way; nothing about it can be changed"))
        self._session.refresh(payout)

    def _enter(
        self,
        status: str,
        wallet_id: int,
        address: str,
        gross: Amount,
        asked_by: str,
        escrow_id: uuid.UUID | None,
    ) -> Payout:
        payout = self._made(status, wallet_id, address, gross, asked_by, escrow_id)
        move = Move(accounts.available(wallet_id), accounts.PAYOUTS_IN_FLIGHT, gross)
        post(self._session, f"payout:{payout.id}:queue", "payout_queue", [move])
        self._session.add(payout)
        self._session.flush()
        return payout

    def _made(
        self,
        status: str,
        wallet_id: int | None,
        address: str,
        gross: Amount,
        asked_by: str,
        escrow_id: uuid.UUID | None,
    ) -> Payout:
        return Payout(
            id=uuid7(),
            wallet_id=wallet_id,
            escrow_id=escrow_id,
            address=address,
            status=status,
            requested_by=asked_by,
            gross=gross,
            fee_paid_by=self._wallet_settings.fee_paid_by,
            reason=WAITING if status == "queued" else AWAITING_APPROVAL,
        )


def return_to_wallet(session: Session, payout: Payout, reason: str) -> None:
    """Fail a payout that is provably not on the network, and give its money back, in the caller's unit of work.

    It goes to the wallet that it came from, or to the community fund. Its payee reads the `reason`.
    """
    payout.status, payout.status_since, payout.reason = "failed", utcnow(), reason[:500]
    payout.claim_token = payout.claimed_until = payout.transaction_id = payout.output_index = None
    payout.fee = payout.net = None
    if payout.escrow_id is not None:
        audit_trail.lock(session, payout.escrow_id)  # Everybody takes an escrow before a wallet.
    source = accounts.FUND if payout.wallet_id is None else accounts.available(payout.wallet_id)
    move = Move(accounts.PAYOUTS_IN_FLIGHT, source, payout.gross)
    post(session, f"payout:{payout.id}:return", "payout_return", [move], even_if_frozen=True)
    record(session, payout, "payout_failed", {"reason": NOT_SENT})
