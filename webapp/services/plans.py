"""One piece of work that is paid for in parts: each part is an escrow of its own, and all are locked or none.

What becomes of a part (delivery, offers, a dispute, its own terms and deadline) is the part's own affair. The plan only
says what belongs together.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import HOLDING, Status
from webapp.domain.exceptions import InvalidAmountError, NotFoundError, ValidationError
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import Actor, Role, Scope
from webapp.domain.said import said
from webapp.models import Escrow, Plan
from webapp.services.escrow_creation import EscrowCreation, PartOf, ReadTerms
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.escrow_terms import MAX_NAME_LENGTH
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import SigningKeys
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

MIN_PARTS, MAX_PARTS = 2, 20
FIELD = "milestones"
# What a part says for itself; about everything else the parts are alike.
OF_A_PART = ("amount", "expires_at", "expected_result_hash", "terms")


@dataclass(frozen=True, slots=True)
class Milestone:
    """What is asked for one part. The amount is not read yet; without `expires_at` the usual deadline applies."""

    title: str
    amount: object
    expires_at: datetime | None = None
    expected_result_hash: str | None = None
    terms: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PlanOverview:
    """A plan with its parts, in order. What was released, refunded and is still held adds to its total."""

    plan: Plan
    parts: list[Escrow]
    released: Amount
    refunded: Amount
    held: Amount
    next_deadline: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether every part has ended."""
        return not self.held


class Plans:
    """Makes and shows plans for one actor."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        keys = SigningKeys(session, SecretBox.of(settings))
        self._creation = EscrowCreation(session, settings, actor, wallets, keys)
        self._moves = EscrowMoves(session, settings, actor, wallets)

    def create(
        self,
        payer_wallet_id: int,
        provider_wallet_id: int,
        title: str,
        milestones: Sequence[Milestone],
        *,
        service_name: str,
        task_id: str,
        amount: object = None,
        metadata: dict[str, Any] | None = None,
        provider_node_id: str | None = None,
        verifier_key_id: str | None = None,
    ) -> PlanOverview:
        """Lock every part's amount of the payer's balance, or none. `amount` is their sum, if the caller knows it.

        Raises ValidationError with every wrong field (`milestones.1.amount`), and what `EscrowManager.create_escrow`
        raises.
        """
        self._creation.require_right(payer_wallet_id)
        with unit_of_work(self._session):
            checked, total = self._checked(title, milestones, amount)
            alike = {
                "provider_wallet_id": provider_wallet_id,
                "service_name": service_name,
                "task_id": task_id,
                "metadata": metadata,
                "provider_node_id": provider_node_id,
                "verifier_key_id": verifier_key_id,
                "funding": "balance",
                "fund_by": None,
                "refund_address": None,
            }
            read = self._read(payer_wallet_id, milestones, alike | {"total": total})
            plan = Plan(
                id=uuid7(),
                payer_wallet_id=payer_wallet_id,
                provider_wallet_id=provider_wallet_id,
                title=checked,
                total=total,
                parts=len(read),
                created_at=utcnow(),
            )
            self._session.add(plan)
            self._session.flush()
            parts = [
                self._creation.make(terms, PartOf(plan.id, number, each.title.strip()))
                for number, (terms, each) in enumerate(zip(read, milestones, strict=True), 1)
            ]
        return _overview(plan, parts)

    def get(self, plan_id: uuid.UUID | str) -> PlanOverview:
        """A plan of which the actor may see a part, with the parts that they may see. Raises NotFoundError."""
        self._actor.require_scope(Scope.ESCROW_READ)
        plan = self._session.get(Plan, _parsed(plan_id))
        parts = [] if plan is None else self._visible_parts(plan)
        if plan is None or not parts:
            raise NotFoundError(said("there is no such plan, or it is not yours"))
        return _overview(plan, parts)

    def find(self, escrow: Escrow) -> Plan | None:
        """The plan that an escrow is a part of, if it is one."""
        return None if escrow.plan_id is None else self._session.get_one(Plan, escrow.plan_id)

    def _visible_parts(self, plan: Plan) -> list[Escrow]:
        every = self._session.scalars(
            select(Escrow)
            .where(Escrow.plan_id == plan.id)
            .order_by(Escrow.part_number)
            .execution_options(populate_existing=True)
        )
        is_staff = self._actor.role in (Role.OPERATOR, Role.ARBITER)
        return [part for part in every if is_staff or self._moves.parties(part)]

    def _checked(self, title: str, milestones: Sequence[Milestone], amount: object) -> tuple[str, Amount]:
        """The title and the sum. What is wrong with a single part is found when it is made."""
        complaints: dict[str, str] = {}
        checked = title.strip()
        if not _is_name(checked):
            complaints["title"] = said("must be 1 to {most} printable characters", most=MAX_NAME_LENGTH)
        for number, each in enumerate(milestones):
            if not _is_name(each.title.strip()):
                field = f"{FIELD}.{number}.title"
                complaints[field] = said("must be 1 to {most} printable characters", most=MAX_NAME_LENGTH)
        if not MIN_PARTS <= len(milestones) <= MAX_PARTS:
            complaints[FIELD] = said("must be {least} to {most} parts", least=MIN_PARTS, most=MAX_PARTS)
        total, unread = self._sum(milestones)
        complaints |= unread
        if not unread and amount is not None:
            complaints |= _sum_complaint(amount, total)
        if complaints:
            raise _all_of(complaints)
        return checked, total

    def _sum(self, milestones: Sequence[Milestone]) -> tuple[Amount, dict[str, str]]:
        """The sum of the amounts, and what is wrong with any of them or with it."""
        least, most = self._settings.escrow.min_amount, self._settings.escrow.max_amount
        base_units = 0
        complaints: dict[str, str] = {}
        for number, each in enumerate(milestones[:MAX_PARTS]):
            try:
                amount = Amount.parse(each.amount)
            except InvalidAmountError as error:
                complaints[f"{FIELD}.{number}.amount"] = error.fields["amount"]
                continue
            base_units += amount.base_units
            if not least <= amount <= most:
                complaints[f"{FIELD}.{number}.amount"] = said(
                    "must be between {least} and {most} FLOP", least=least, most=most
                )
        if not complaints and base_units > most.base_units:
            complaints["amount"] = said("must be at most {most} FLOP in all", most=most)
        return (ZERO if complaints else Amount(base_units)), complaints

    def _read(
        self, payer_wallet_id: int, milestones: Sequence[Milestone], alike: Mapping[str, Any]
    ) -> list[ReadTerms]:
        """Every part is read before anything is made, so that all complaints come at once."""
        parts: list[ReadTerms] = []
        complaints: dict[str, str] = {}
        for number, each in enumerate(milestones):
            own = {name: getattr(each, name) for name in OF_A_PART}
            try:
                parts.append(self._creation.read(payer_wallet_id, **alike, **own))
            except ValidationError as error:
                complaints |= {
                    f"{FIELD}.{number}.{name}" if name.split(".")[0] in OF_A_PART else name: message
                    for name, message in error.fields.items()
                }
        if complaints:
            raise _all_of(complaints)
        return parts


def _overview(plan: Plan, parts: list[Escrow]) -> PlanOverview:
    def total(amounts: list[Amount]) -> Amount:
        return Amount(sum(each.base_units for each in amounts))

    held = [part for part in parts if Status(part.status) in HOLDING]
    ended = [part for part in parts if part.refunded_amount is not None]
    refunded = total([part.refunded_amount or ZERO for part in ended])
    deadlines = [part.accept_by or part.expires_at for part in held if part.status != Status.DISPUTED]
    return PlanOverview(
        plan=plan,
        parts=parts,
        released=total([part.amount for part in ended]) - refunded,
        refunded=refunded,
        held=total([part.amount for part in held]),
        next_deadline=min(deadlines, default=None),
    )


def _sum_complaint(amount: object, total: Amount) -> dict[str, str]:
    try:
        asked = Amount.parse(amount)
    except InvalidAmountError as error:
        return error.fields
    return {} if asked == total else {"amount": said("the parts add to {total} FLOP", total=total)}


def _all_of(complaints: dict[str, str]) -> ValidationError:
    detail = "; ".join(f"{field}: {message}" for field, message in complaints.items())
    return ValidationError(detail, fields=complaints)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()


def _parsed(plan_id: uuid.UUID | str) -> uuid.UUID:
    try:
        return plan_id if isinstance(plan_id, uuid.UUID) else uuid.UUID(plan_id)
    except ValueError:
        raise NotFoundError(said("there is no such plan, or it is not yours")) from None
