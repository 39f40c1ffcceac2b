"""What happens to a payout, on the timeline of the escrow that caused it, if one did."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.domain.roles import WORKER, Actor
from webapp.models import Payout
from webapp.services import audit_trail

Detail = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Told:
    """A payout of `gross` FLOP as a timeline tells of it, with what is told of it alone."""

    payout_id: uuid.UUID
    escrow_id: uuid.UUID | None
    gross: Amount
    detail: Detail = field(default_factory=dict)


def record(session: Session, payout: Payout, kind: str, detail: Detail, actor: Actor = WORKER) -> None:
    """Put an event of the payout on its timeline, in the caller's unit of work."""
    record_all(session, [Told(payout.id, payout.escrow_id, payout.gross)], kind, detail, actor)


def record_all(
    session: Session, payouts: Iterable[Told], kind: str, detail: Detail, actor: Actor = WORKER
) -> None:
    """Put the same event on the timelines of many payouts, in a fixed number of statements."""
    events = [
        audit_trail.Event(
            each.escrow_id,
            kind,
            actor.name,
            each.gross,
            {"payout_id": str(each.payout_id), **detail, **each.detail},
        )
        for each in payouts
        if each.escrow_id is not None
    ]
    audit_trail.append_all(session, events)
