"""Escrows: created, delivered, released, refunded. State, ledger and audit trail change together or not at all.

Rights and moves are in `domain.escrow_states`, and made by `EscrowMoves`; money moves through `WalletIntegration`.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, Party
from webapp.domain.exceptions import ResultValidationError
from webapp.domain.roles import PROGRAM, Actor, Scope
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.disputes.ladder import DisputeLadder
from webapp.services.escrow_creation import EscrowCreation
from webapp.services.escrow_events import delivery_detail, refund_detail, release_detail
from webapp.services.escrow_funding import EscrowFunding
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.escrow_terms import stated_reason
from webapp.services.result_inspection import Inspection
from webapp.services.secret_box import SecretBox
from webapp.services.service_orders import acceptance_hours
from webapp.services.signing_keys import SigningKeys
from webapp.services.terms.in_force import TermsInForce
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration


class EscrowManager:
    """Acts for one `actor`. A program that holds the database session and the settings itself is trusted as
    `domain.roles.PROGRAM`; whatever serves requests passes the actor that it has authenticated.
    """

    def __init__(
        self,
        db_session: Session,
        config: Settings | None = None,
        *,
        actor: Actor = PROGRAM,
        wallet_integration: WalletIntegration | None = None,
    ) -> None:
        self._session = db_session
        self._settings = config or load_config()
        self._actor = actor
        self._wallets = wallet_integration or WalletIntegration(db_session, self._settings)
        self._validator = TransactionValidator(db_session, self._settings)
        keys = SigningKeys(db_session, SecretBox.of(self._settings))
        self._creation = EscrowCreation(db_session, self._settings, actor, self._wallets, keys)
        self._funding = EscrowFunding(db_session, self._settings)
        self._disputes = DisputeLadder(db_session, self._settings, actor, self._wallets)
        self._moves = EscrowMoves(db_session, self._settings, actor, self._wallets)

    def create_escrow(
        self,
        payer_wallet_id: int,
        provider_wallet_id: int,
        amount: object,
        service_name: str,
        task_id: str,
        metadata: dict[str, Any] | None = None,
        *,
        provider_node_id: str | None = None,
        verifier_key_id: str | None = None,
        expected_result_hash: str | None = None,
        expires_at: datetime | None = None,
        funding: str = "balance",
        fund_by: datetime | None = None,
        refund_address: str | None = None,
        terms: dict[str, Any] | None = None,
    ) -> Escrow:
        """Lock `amount` FLOP of the payer for a task; the escrow is `active` at once. Without `expires_at` the
        configured deadline applies.

        With `funding="deposit"` nothing moves: the escrow is `pending` until the amount has arrived at its own
        `deposit_address` before `fund_by`; what it gives back goes to `refund_address` if there is one.

        With `terms` (a document of `domain.terms`) these decide when it is released and when refunded, and its
        `expires_at` is the moment by which they have.

        Raises ValidationError with every wrong field, PermissionDeniedError, InsufficientFundsError,
        FrozenWalletError, SpendLimitError; NoDepositAddressError when no address is in stock (see
        `WalletIntegration.stock_address`).
        """
        return self._creation.create(
            payer_wallet_id,
            provider_wallet_id=provider_wallet_id,
            amount=amount,
            service_name=service_name,
            task_id=task_id,
            metadata=metadata,
            provider_node_id=provider_node_id,
            verifier_key_id=verifier_key_id,
            expected_result_hash=expected_result_hash,
            expires_at=expires_at,
            funding=funding,
            fund_by=fund_by,
            refund_address=refund_address,
            terms=terms,
        )

    def deliver_escrow(
        self,
        escrow_id: uuid.UUID | str,
        result_hash: str,
        provider_signature: str,
        inspection: Inspection | None = None,
    ) -> Escrow:
        """Record the provider's signed result; the payer's acceptance window begins.

        Raises EscrowStateError, PermissionDeniedError, ResultValidationError.
        """
        self._actor.require_scope(Scope.ESCROW_DELIVER)
        with unit_of_work(self._session):
            escrow = self._moves.get(escrow_id)
            self._moves.check(escrow, Action.DELIVER)
            proven = self._validator.require_valid_result(escrow, result_hash, provider_signature)
            checked = self._validator.require_result_rules(escrow, proven.result_hash, inspection)
            now = utcnow()
            accept_by = None
            if not escrow.has_own_terms:
                accept_by = now + timedelta(hours=acceptance_hours(escrow, self._settings))
            self._moves.move(
                escrow,
                Action.DELIVER,
                result_hash=proven.result_hash,
                provider_signature=provider_signature.lower(),
                worked_by_node_id=proven.node_id,
                delivered_at=now,
                accept_by=accept_by,
            )
            self._moves.record(escrow, "delivered", delivery_detail(proven.result_hash, accept_by, checked))
            if escrow.has_own_terms:
                self.terms.settle(escrow)
        return escrow

    def release_escrow(
        self,
        escrow_id: uuid.UUID | str,
        result_hash: str | None = None,
        provider_signature: str | None = None,
        inspection: Inspection | None = None,
    ) -> Escrow:
        """Pay provider and fund. What was delivered need not be named again; without a delivery both are needed.

        Under terms of its own this is an approval, which releases it when they ask for nothing else.

        Raises EscrowStateError, PermissionDeniedError, ResultValidationError.
        """
        self._actor.require_scope(Scope.ESCROW_RELEASE)
        with unit_of_work(self._session):
            escrow = self._moves.get(escrow_id)
            self._moves.check(escrow, Action.RELEASE)
            if escrow.terms.decide_themselves:
                _require_delivered(escrow, result_hash)
                return self.terms.approve(escrow.id)
            proven, signature = self._validator.require_accepted(escrow, result_hash, provider_signature)
            checked = self._validator.require_result_rules(escrow, proven.result_hash, inspection)
            self._moves.move(
                escrow,
                Action.RELEASE,
                result_hash=proven.result_hash,
                provider_signature=signature,
                worked_by_node_id=proven.node_id,
                released_at=utcnow(),
            )
            self._wallets.transfer_funds(escrow)
            self._moves.record(escrow, "released", release_detail(escrow, proven.result_hash, checked))
            self._moves.pay_out(escrow, escrow.provider_amount)
        return escrow

    def refund_escrow(self, escrow_id: uuid.UUID | str, reason: str) -> Escrow:
        """Give what it holds back to the payer, who under terms of its own waits for what these decide.

        Raises EscrowStateError, PermissionDeniedError, ValidationError.
        """
        self._actor.require_scope(Scope.ESCROW_REFUND)
        text = stated_reason(reason)
        with unit_of_work(self._session):
            escrow = self._moves.get(escrow_id)
            self._moves.check(escrow, Action.REFUND)
            self._moves.move(escrow, Action.REFUND, refund_reason=text, refunded_at=utcnow())
            # One that waits for its payment may hold a part of it, or nothing.
            if escrow.held_amount:
                self._wallets.unlock_funds(escrow.id, escrow.payer_wallet_id, escrow.held_amount)
            self._moves.record(escrow, "refunded", refund_detail(text), escrow.held_amount)
            self._funding.send_home(escrow.id, escrow.held_amount)
        return escrow

    def dispute_escrow(self, escrow_id: uuid.UUID | str, reason: str) -> Escrow:
        """Object while the money is still held: the clocks stop, and the ladder of a dispute begins.

        Raises EscrowStateError, PermissionDeniedError, ValidationError; InsufficientFundsError without the bond.
        """
        return self._disputes.open(escrow_id, reason)

    @cached_property
    def terms(self) -> TermsInForce:
        """What the actor does to escrows with terms of their own."""
        return TermsInForce(self._session, self._settings, self._actor, self._wallets)

    def get_escrow(self, escrow_id: uuid.UUID | str) -> Escrow:
        """The escrow, if the actor is one of its parties or staff. Raises NotFoundError otherwise."""
        self._actor.require_scope(Scope.ESCROW_READ)
        return self._moves.get(escrow_id)

    def parties(self, escrow: Escrow) -> frozenset[Party]:
        """In what capacities the actor stands to the escrow."""
        return self._moves.parties(escrow)


def _require_delivered(escrow: Escrow, result_hash: str | None) -> None:
    """Under terms of its own a result counts from its delivery on, which is the provider's to make."""
    if result_hash not in (None, "", escrow.result_hash):
        message = said("is not what was delivered, and the terms of the escrow count deliveries only")
        raise ResultValidationError(
            said("{field}: {message}", field="result_hash", message=message), fields={"result_hash": message}
        )
