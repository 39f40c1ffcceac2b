"""New escrows: their terms are read, their amount is locked or an address for it is given out, their trail begins."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain.escrow_states import Status
from webapp.domain.exceptions import (
    FrozenWalletError,
    NoDepositAddressError,
    PermissionDeniedError,
    ValidationError,
)
from webapp.domain.money import ZERO, Amount, split
from webapp.domain.roles import Actor, Scope
from webapp.domain.said import said
from webapp.domain.terms.language import PayerApproves, Terms
from webapp.domain.terms.writing import as_document
from webapp.models import Escrow, EscrowTerms
from webapp.models.limited_index import is_exactly
from webapp.services import audit_trail
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.escrow_events import creation_detail
from webapp.services.escrow_terms import NewEscrow, TermsReader
from webapp.services.service_orders import (
    order_document,
    ordered_service,
    require_price,
    with_usual_deadline,
)
from webapp.services.signing_keys import SigningKeys
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

# Each has an address that is watched for ever, and costs whoever asks for it nothing.
MAX_UNPAID_PER_DAY = 100


@dataclass(frozen=True, slots=True)
class ReadTerms:
    """Terms that passed every check, with the rules of the service that they order, if there is one."""

    terms: NewEscrow
    order: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class PartOf:
    """Which part of which plan an escrow is."""

    plan_id: uuid.UUID
    part_number: int
    part_title: str


def columns_of(terms: NewEscrow, fund_basis_points: int) -> dict[str, Any]:
    """The columns of a new escrow on these terms, but for what it orders and which part of a plan it is."""
    provider_amount, community_amount = split(terms.amount, fund_basis_points)
    status = Status.PENDING if terms.funding.is_by_deposit else Status.ACTIVE
    return {
        "id": uuid7(),
        "payer_wallet_id": terms.payer_wallet_id,
        "provider_wallet_id": terms.provider_wallet_id,
        "amount": terms.amount,
        "provider_amount": provider_amount,
        "community_amount": community_amount,
        "fund_basis_points": fund_basis_points,
        "status": status.value,
        "service_name": terms.service_name,
        "task_id": terms.task_id,
        "task_metadata": terms.metadata,
        "provider_node_id": terms.provider_node_id,
        "worked_by_node_id": terms.provider_node_id,
        "verifier_key_id": terms.verifier_key_id,
        "expected_result_hash": terms.expected_result_hash,
        "expires_at": terms.expires_at,
        "funding": terms.funding.funding,
        "fund_by": terms.funding.fund_by,
        "refund_address": terms.funding.refund_address,
        "has_own_terms": terms.own is not None,
        "created_at": terms.created_at,
        "updated_at": terms.created_at,
    }


class EscrowCreation:
    """Makes escrows for one actor."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        actor: Actor,
        wallets: WalletIntegration,
        keys: SigningKeys,
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._wallets = wallets
        self._keys = keys

    def create(self, payer_wallet_id: int, **terms: Any) -> Escrow:
        """`terms` are those of `TermsReader.read`. See `EscrowManager.create_escrow`."""
        self.require_right(payer_wallet_id)
        with unit_of_work(self._session):
            return self.make(self.read(payer_wallet_id, **terms))

    def require_right(self, payer_wallet_id: int) -> None:
        """Raise PermissionDeniedError unless the actor may spend from the payer's wallet."""
        self._actor.require_scope(Scope.ESCROW_CREATE)
        if not self._actor.is_program and payer_wallet_id not in self._actor.wallet_ids:
            raise PermissionDeniedError(said("you may not spend from the payer's wallet"))

    def read(self, payer_wallet_id: int, *, total: Amount | None = None, **terms: Any) -> ReadTerms:
        """What is asked for, checked; nothing is made yet. `total` is the sum of all parts, for one of several.

        Raises ValidationError.
        """
        service = ordered_service(self._session, terms)
        terms = with_usual_deadline(service, self._settings, terms)
        read = TermsReader(self._session, self._settings).read(payer_wallet_id=payer_wallet_id, **terms)
        require_price(service, read.amount if total is None else total)
        return ReadTerms(read, order_document(service, self._settings, read.metadata))

    def make(self, asked: ReadTerms, part: PartOf | None = None) -> Escrow:
        """The escrow with its money and the first event of its trail, in the caller's unit of work."""
        read = asked.terms
        escrow = self._new_row(read, asked.order, part)
        self._keys.spend(self._actor, escrow.amount)
        if read.funding.is_by_deposit:
            self._give_address(escrow)
        else:
            self._wallets.lock_funds(escrow.id, escrow.payer_wallet_id, escrow.amount)
        document = None
        if read.own is not None:
            document = as_document(read.own.terms)
            self._keep_terms(escrow, read.own.terms, document)
        audit_trail.append(
            self._session,
            escrow.id,
            "created",
            self._actor.name,
            amount=escrow.amount,
            detail=creation_detail(escrow, document),
            is_first=True,
        )
        return escrow

    def _keep_terms(self, escrow: Escrow, terms: Terms, document: dict[str, Any]) -> None:
        """They are looked at in the next moment: then it is written down when to look again."""
        self._session.add(
            EscrowTerms(
                escrow_id=escrow.id,
                document=document,
                next_look_at=escrow.created_at,
                awaits_payer=PayerApproves() in terms.facts and not terms.heeds_delivery,
                ends_by=escrow.expires_at,
            )
        )

    def _new_row(self, terms: NewEscrow, order: dict[str, Any] | None, part: PartOf | None) -> Escrow:
        columns = columns_of(terms, self._settings.escrow.fund_basis_points)
        escrow = Escrow(**columns, service_terms=order, **(asdict(part) if part else {}))
        self._session.add(escrow)
        self._session.flush()
        return escrow

    def _give_address(self, escrow: Escrow) -> None:
        """Nothing moves yet; but whoever could not lock money cannot have it sent here either."""
        wallet = self._wallets.wallet(escrow.payer_wallet_id)
        if wallet.is_frozen:
            raise FrozenWalletError(said("wallet {id} is frozen", id=wallet.id))
        self._check_unpaid(escrow)
        address = deposit_addresses.take(self._session, "escrow", wallet.id, escrow.id)
        if address is None:
            raise NoDepositAddressError(
                said(
                    "There is no address to pay to at the moment; new ones come as soon as the coin "
                    "daemon is in reach. Try again in a moment, or pay from the balance."
                )
            )
        escrow.deposit_address = address
        self._session.flush()

    def _check_unpaid(self, escrow: Escrow) -> None:
        """Raise unless few of the wallet's escrows of the last 24 hours were never paid, whatever became of them."""
        statement = select(func.count()).where(
            Escrow.payer_wallet_id == escrow.payer_wallet_id,
            is_exactly(Escrow.funding, "deposit"),
            Escrow.deposited_amount == ZERO,
            Escrow.created_at > escrow.created_at - timedelta(hours=24),
        )
        if self._session.execute(statement).scalar_one() > MAX_UNPAID_PER_DAY:
            raise ValidationError.of(
                "funding",
                said(
                    "{max_unpaid_per_day} escrows of this wallet were made for a payment within 24 hours "
                    "and not paid: pay them, or pay from the balance",
                    max_unpaid_per_day=MAX_UNPAID_PER_DAY,
                ),
            )
