"""Offers to divide an escrow: how one stands, and when it has lapsed without anybody's doing.

An offer is never changed: whoever wants other words makes a new one, so that its id tells what was seen of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from webapp.domain.escrow_states import HOLDING, Status


class Side(StrEnum):
    """Whose offer it is. The values are those of `Party` for the two."""

    PAYER = "payer"
    PROVIDER = "provider"

    @property
    def other(self) -> Side:
        """Who answers it."""
        return Side.PROVIDER if self is Side.PAYER else Side.PAYER


class OfferStatus(StrEnum):
    """Where an offer stands. `replaced` was by its own side, `countered` by the other side's offer in its place."""

    OPEN = "open"
    REPLACED = "replaced"
    COUNTERED = "countered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    LAPSED = "lapsed"


def status_now(
    stored: str,
    *,
    expires_at: datetime | None,
    made_while: str,
    escrow_status: str,
    is_delivered: bool,
    now: datetime,
) -> OfferStatus:
    """How an offer stands that was stored as `stored`.

    One that nobody answered lapses when the escrow ends, and when a result is delivered that was not there when it
    was made: it was about work that had not been done. Its own time is a promise of whoever made it, and is not
    extended by an outage, since that would bind them longer than they have said. A ruling ends what is open when it is
    stated.
    """
    status = OfferStatus(stored)
    if status is not OfferStatus.OPEN:
        return status
    has_ended = Status(escrow_status) not in HOLDING
    if has_ended or (is_delivered and made_while == Status.ACTIVE):
        return OfferStatus.LAPSED
    return OfferStatus.EXPIRED if expires_at is not None and now >= expires_at else OfferStatus.OPEN
