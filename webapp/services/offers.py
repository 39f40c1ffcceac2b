"""What the two sides of an escrow offer each other: a split of its amount, accepted, countered, declined, withdrawn.

An agreement needs both owners themselves. A key acts for its wallet when it has the scope `escrow:settle`; the key of a
node, and one that is the escrow's verifier, never do. Everything waits for the escrow's row first, so that of an
acceptance and whatever else would end the escrow exactly one happens.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_states import HOLDING, Party, Status
from webapp.domain.exceptions import EscrowStateError, NotFoundError, OfferStateError, PermissionDeniedError
from webapp.domain.money import Amount
from webapp.domain.offers import OfferStatus, Side, status_now
from webapp.domain.roles import Actor, Scope
from webapp.domain.said import said
from webapp.models import Escrow, SettlementOffer
from webapp.models.compare_and_set import changes_this_row
from webapp.services import audit_trail
from webapp.services.disputes.ladder import note_answer
from webapp.services.escrow_desk import owners
from webapp.services.escrow_division import Division, EscrowDivision
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.escrow_terms import parsed_escrow_id
from webapp.services.offer_terms import checked_count, read_offer
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

# What a numbered row's key can hold.
LARGEST_ID = 2**63 - 1

_WHY_NOT = {
    OfferStatus.REPLACED: said("the offer was replaced by another one"),
    OfferStatus.COUNTERED: said("the offer was answered by another one"),
    OfferStatus.ACCEPTED: said("the offer was accepted"),
    OfferStatus.DECLINED: said("the offer was declined"),
    OfferStatus.WITHDRAWN: said("the offer was withdrawn"),
    OfferStatus.EXPIRED: said("the offer is too old: its time is over"),
    OfferStatus.LAPSED: said(
        "the offer has lapsed: a result was delivered or a ruling stated since, or the escrow has ended"
    ),
}


@dataclass(frozen=True, slots=True)
class StandingOffer:
    """An offer as it stands now, with everybody's part if it is accepted."""

    offer: SettlementOffer
    status: OfferStatus
    parts: Division


class Offers:
    """Makes and answers offers for one actor."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._moves = EscrowMoves(session, settings, actor, wallets)
        self._division = EscrowDivision(session, settings, actor, wallets)

    def side(self, escrow: Escrow) -> Side:
        """The side that the actor may negotiate for. Raises PermissionDeniedError."""
        actor = self._actor
        sides = [
            side
            for side, wallet_id in zip(Side, (escrow.payer_wallet_id, escrow.provider_wallet_id), strict=True)
            if wallet_id in actor.wallet_ids
        ]
        if not sides or actor.node_id is not None or escrow.verifier_key_id in actor.key_ids:
            raise PermissionDeniedError(said("only the payer and the provider themselves agree on a split"))
        both = owners(self._session, (escrow.payer_wallet_id, escrow.provider_wallet_id))
        if len(set(both.values())) == 1:
            raise PermissionDeniedError(
                said("both wallets belong to one owner: there is nobody to agree with")
            )
        return sides[0]

    def offer(
        self,
        escrow_id: uuid.UUID | str,
        share: object,
        message: str | None = None,
        *,
        answers: int | None = None,
        expires_at: datetime | None = None,
    ) -> SettlementOffer:
        """Offer the other side that the provider's side gets `share` of the amount, before the fund's part.

        It replaces what this side had offered before. `answers` is the other side's open offer that this one is made
        in place of: that one is over. Raises ValidationError with every wrong field, NotFoundError,
        PermissionDeniedError, EscrowStateError, OfferStateError.
        """
        with self._negotiation(escrow_id) as (escrow, side):
            read = read_offer(escrow, share, message, expires_at, self._settings.escrow)
            answered = self._answered(escrow, side, answers)
            checked_count(self._session, escrow)
            replaced = self._open_one(escrow, side)
            if replaced is not None:
                status = self._status(escrow, replaced)
                self._end(replaced, OfferStatus.REPLACED if status is OfferStatus.OPEN else status)
            if answered is not None:
                self._end(answered, OfferStatus.COUNTERED)
            made = SettlementOffer(
                escrow_id=escrow.id,
                side=side.value,
                share=read.share,
                message=read.message,
                answers_id=answered.id if answered else None,
                made_by=self._actor.name,
                made_while=escrow.status,
                created_at=utcnow(),
                expires_at=read.expires_at,
            )
            self._session.add(made)
            self._session.flush()
            self._tell(escrow, "offered", made, _offered(escrow, made, replaced))
            # In a dispute that the other side has opened, an offer is an answer.
            note_answer(
                self._session,
                escrow,
                escrow.payer_wallet_id if side is Side.PAYER else escrow.provider_wallet_id,
            )
        return made

    def accept(self, escrow_id: uuid.UUID | str, offer_id: int, seen: Amount) -> Escrow:
        """Agree to an offer of the other side: the escrow is divided by it at once.

        `seen` is the share that the actor has seen in it. Raises NotFoundError, PermissionDeniedError,
        EscrowStateError, OfferStateError.
        """
        with self._negotiation(escrow_id) as (escrow, side):
            offer = self._answerable(escrow, side, offer_id)
            if offer.share != seen:
                raise OfferStateError(
                    said("the offer is one of {share} FLOP, not of {seen}", share=offer.share, seen=seen)
                )
            self._end(offer, OfferStatus.ACCEPTED)
            detail = {"offer_id": offer.id, "offered_by": offer.side}
            self._division.divide(escrow, offer.share, Party.AGREEMENT, detail)
        return escrow

    def decline(self, escrow_id: uuid.UUID | str, offer_id: int) -> SettlementOffer:
        """Say no to an offer of the other side. Raises as `accept` does."""
        with self._negotiation(escrow_id) as (escrow, side):
            offer = self._answerable(escrow, side, offer_id)
            self._end(offer, OfferStatus.DECLINED)
            self._tell(escrow, "offer_declined", offer, {})
        return offer

    def withdraw(self, escrow_id: uuid.UUID | str, offer_id: int) -> SettlementOffer:
        """Take an offer of one's own side back. Raises as `accept` does."""
        with self._negotiation(escrow_id) as (escrow, side):
            offer = self._find(escrow, offer_id)
            if offer.side != side:
                raise PermissionDeniedError(said("it is the other side's offer: accept or decline it"))
            self._require_open(escrow, offer)
            self._end(offer, OfferStatus.WITHDRAWN)
            self._tell(escrow, "offer_withdrawn", offer, {})
        return offer

    def list(self, escrow: Escrow) -> list[StandingOffer]:
        """Every offer of an escrow that the actor may see, the newest first."""
        rows = self._session.scalars(
            select(SettlementOffer)
            .where(SettlementOffer.escrow_id == escrow.id)
            .order_by(SettlementOffer.id.desc())
        )
        return [self.standing(escrow, row) for row in rows]

    def get(self, escrow: Escrow, offer_id: int) -> StandingOffer:
        """One offer of an escrow that the actor may see. Raises NotFoundError."""
        return self.standing(escrow, self._find(escrow, offer_id))

    def standing(self, escrow: Escrow, offer: SettlementOffer) -> StandingOffer:
        """How an offer of this escrow stands now."""
        return StandingOffer(offer, self._status(escrow, offer), Division.of(escrow, offer.share))

    @contextmanager
    def _negotiation(self, escrow_id: uuid.UUID | str) -> Iterator[tuple[Escrow, Side]]:
        """A unit of work that nobody else is in for this escrow, which holds its money; and the actor's side."""
        self._actor.require_scope(Scope.ESCROW_SETTLE)
        with unit_of_work(self._session):
            audit_trail.lock(self._session, parsed_escrow_id(escrow_id))
            escrow = self._moves.get(escrow_id)
            side = self.side(escrow)
            if Status(escrow.status) not in HOLDING:
                detail = said(
                    "the escrow is {status}: there is no money in it to agree about", status=escrow.status
                )
                raise EscrowStateError(detail, current_status=escrow.status)
            yield escrow, side

    def _find(self, escrow: Escrow, offer_id: int) -> SettlementOffer:
        offer = None
        if 0 < offer_id <= LARGEST_ID:
            offer = self._session.get(SettlementOffer, offer_id, populate_existing=True)
        if offer is None or offer.escrow_id != escrow.id:
            raise NotFoundError(said("this escrow has no such offer"))
        return offer

    def _answerable(self, escrow: Escrow, side: Side, offer_id: int) -> SettlementOffer:
        """An open offer of the other side."""
        offer = self._find(escrow, offer_id)
        if offer.side == side:
            raise PermissionDeniedError(said("it is your own offer: the other side answers it"))
        self._require_open(escrow, offer)
        return offer

    def _answered(self, escrow: Escrow, side: Side, offer_id: int | None) -> SettlementOffer | None:
        return None if offer_id is None else self._answerable(escrow, side, offer_id)

    def _open_one(self, escrow: Escrow, side: Side) -> SettlementOffer | None:
        """What stands in the way of another offer of this side."""
        return self._session.scalars(
            select(SettlementOffer)
            .where(
                SettlementOffer.escrow_id == escrow.id,
                SettlementOffer.side == side.value,
                SettlementOffer.status == OfferStatus.OPEN.value,
            )
            .execution_options(populate_existing=True)
        ).first()

    def _status(self, escrow: Escrow, offer: SettlementOffer) -> OfferStatus:
        return status_now(
            offer.status,
            expires_at=offer.expires_at,
            made_while=offer.made_while,
            escrow_status=escrow.status,
            is_delivered=escrow.delivered_at is not None,
            now=utcnow(),
        )

    def _require_open(self, escrow: Escrow, offer: SettlementOffer) -> None:
        status = self._status(escrow, offer)
        if status is not OfferStatus.OPEN:
            raise OfferStateError(_WHY_NOT[status])

    def _end(self, offer: SettlementOffer, status: OfferStatus) -> None:
        statement = update(SettlementOffer).where(
            SettlementOffer.id == offer.id, SettlementOffer.status == OfferStatus.OPEN.value
        )
        values = {"status": status.value, "ended_at": utcnow(), "ended_by": self._actor.name}
        if not changes_this_row(self._session, offer, statement.values(**values)):
            raise OfferStateError(_WHY_NOT[OfferStatus(offer.status)])

    def _tell(self, escrow: Escrow, kind: str, offer: SettlementOffer, detail: dict[str, Any]) -> None:
        told = {"offer_id": offer.id, "side": offer.side, "share": str(offer.share), **detail}
        self._moves.record(escrow, kind, told, offer.share)


def _offered(escrow: Escrow, offer: SettlementOffer, replaced: SettlementOffer | None) -> dict[str, Any]:
    """What the trail keeps of an offer, besides its share."""
    parts = Division.of(escrow, offer.share)
    return {
        "provider_amount": str(parts.provider),
        "community_amount": str(parts.fund),
        "refunded_amount": str(parts.payer),
        **({"message": offer.message} if offer.message else {}),
        **({"answers": offer.answers_id} if offer.answers_id else {}),
        **({"replaces": replaced.id} if replaced else {}),
        **({"expires_at": to_rfc3339(offer.expires_at)} if offer.expires_at else {}),
    }
