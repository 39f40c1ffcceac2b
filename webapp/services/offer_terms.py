"""Reading what one side of an escrow offers. Every complaint names its field; all come at once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.config.sections import EscrowSettings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, InvalidAmountError, ValidationError
from webapp.domain.money import ZERO, Amount
from webapp.domain.offers import OfferStatus
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import WORKER
from webapp.domain.said import said
from webapp.models import Escrow, SettlementOffer

MAX_MESSAGE_LENGTH = 500
# A page shows them all, and the trail keeps them for ever.
MAX_OFFERS = 100


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """An offer that passed every check. The message may be empty; without a time it stands until it is answered."""

    share: Amount
    message: str
    expires_at: datetime | None


def read_offer(
    escrow: Escrow,
    share: object,
    message: str | None,
    expires_at: datetime | None,
    settings: EscrowSettings,
) -> OfferTerms:
    """The checked offer. Raises ValidationError."""
    complaints: dict[str, str] = {}
    amount, text = ZERO, ""
    try:
        amount = Amount.parse(share, field="share", allow_zero=True)
        if amount > escrow.amount:
            complaints["share"] = said("must be at most {most} FLOP", most=escrow.amount)
    except InvalidAmountError as error:
        complaints |= error.fields
    if message and message.strip():
        try:
            text = checked_reason(message, MAX_MESSAGE_LENGTH, keeps_lines=True)
        except ValidationError as error:
            complaints["message"] = error.fields["reason"]
    if expires_at is not None:
        complaints |= _time_complaint(expires_at, settings.max_deadline_hours)
    if complaints:
        detail = "; ".join(f"{field}: {complaint}" for field, complaint in complaints.items())
        raise ValidationError(detail, fields=complaints)
    return OfferTerms(amount, text, expires_at and expires_at.astimezone(UTC))


def _time_complaint(expires_at: datetime, most_hours: int) -> dict[str, str]:
    now = utcnow()
    if expires_at.tzinfo is None:
        return {"expires_at": said("must be a time with its zone")}
    if not now < expires_at <= now + timedelta(hours=most_hours):
        return {"expires_at": said("must be in the future, at most {hours} hours", hours=most_hours)}
    return {}


def checked_count(session: Session, escrow: Escrow) -> None:
    """Raise ConflictError when as many offers were made as an escrow has room for."""
    statement = select(func.count()).where(SettlementOffer.escrow_id == escrow.id)
    if session.execute(statement).scalar_one() >= MAX_OFFERS:
        raise ConflictError(
            said("{count} offers were made on this escrow: no more are taken", count=MAX_OFFERS)
        )


def lapse(session: Session, escrow_id: uuid.UUID) -> None:
    """End what is open, in the unit of work that states a ruling: nobody takes up what was offered without knowing it.

    The escrow's row is locked, so that nobody accepts one of them meanwhile.
    """
    is_open = SettlementOffer.status == OfferStatus.OPEN.value
    session.execute(
        update(SettlementOffer)
        .where(SettlementOffer.escrow_id == escrow_id, is_open)
        .values(status=OfferStatus.LAPSED.value, ended_at=utcnow(), ended_by=WORKER.name)
        .execution_options(synchronize_session=False)
    )
