"""One payment under several transaction ids: what was known of it under the first one stays with it.

Whoever relays a transaction of this chain can change its id, and whoever sent it can raise its fee.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO
from webapp.models import Deposit
from webapp.models.types import UtcDateTime
from webapp.services.deposits.sightings import Sighting
from webapp.services.escrow_payments import UNJUDGED


def first_seen(session: Session, seen: Sighting) -> datetime:
    """When the payment was first seen, by us or by our daemon while we did not look, under this id or another one.

    Another one counts when it paid as much or more to the same address.
    """
    moments = [utcnow(), seen.seen_at]
    if seen.conflicts:
        same = (Deposit.address == seen.address, Deposit.amount >= seen.amount)
        earliest = func.min(Deposit.first_seen_at, type_=UtcDateTime)
        before = session.execute(select(earliest).where(Deposit.txid.in_(seen.conflicts), *same)).scalar()
        moments += [before] if before else []
    return min(moments)


def inherit(session: Session, deposit: Deposit, conflicts: Collection[str]) -> None:
    """Hand on what was decided about a payment at an escrow's address, before its twin is credited.

    Otherwise the escrow would count one payment as two, once under each id.
    """
    if deposit.escrow_id is None or deposit.disposition != UNJUDGED or not conflicts:
        return
    judged = select(Deposit).where(
        Deposit.txid.in_(conflicts),
        Deposit.address == deposit.address,
        Deposit.amount == deposit.amount,
        Deposit.status == "reversed",
        Deposit.disposition != UNJUDGED,
    )
    other = session.scalars(judged.order_by(Deposit.id).limit(1).with_for_update()).first()
    if other is not None:
        deposit.disposition, deposit.held_amount = other.disposition, other.held_amount
        other.disposition, other.held_amount = UNJUDGED, ZERO
