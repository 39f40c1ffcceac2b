"""Disputes to look after: those somebody is assigned to, and all that are open. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from webapp.domain.disputes.rungs import ASSIGNED, Rung, Seat
from webapp.domain.pagination import Page, checked_limit, decode_cursor
from webapp.models import Dispute, DisputeSeat, Escrow

_LIVE = [rung.value for rung in Rung if rung is not Rung.ENDED]


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that has not ended, with its escrow and how many sit on its rung. `seat` is the reader's own."""

    escrow: Escrow
    rung: Rung
    ends_at: datetime
    seated: int
    seat: Seat | None

    @property
    def lacks_somebody(self) -> bool:
        """Whether its rung needs somebody who could not be assigned."""
        return self.rung in ASSIGNED and not self.seated


def of_user(session: Session, user_id: int) -> list[OpenDispute]:
    """What somebody is asked to decide now, the most urgent first. Who has voted is not asked any more."""
    mine = (
        _open_ones()
        .add_columns(DisputeSeat.seat)
        .join(DisputeSeat, DisputeSeat.dispute_id == Dispute.id)
        .where(
            DisputeSeat.user_id == user_id,
            DisputeSeat.left_at.is_(None),
            DisputeSeat.decided_at.is_(None),
        )
        .order_by(Dispute.rung_ends_at, Dispute.id)
    )
    rows = session.execute(mine).all()
    return [OpenDispute(row.Escrow, Rung(row.rung), row.rung_ends_at, 1, Seat(row.seat)) for row in rows]


def list_open(session: Session, *, limit: int | None = None, cursor: str | None = None) -> Page[OpenDispute]:
    """All that have not ended, the most urgent first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, _place)
    seated = (
        select(func.count())
        .where(DisputeSeat.dispute_id == Dispute.id, DisputeSeat.left_at.is_(None))
        .scalar_subquery()
    )
    statement = _open_ones().add_columns(Dispute.id, seated.label("seated"))
    if after is not None:
        ends_at, number = after
        later = Dispute.rung_ends_at > ends_at
        statement = statement.where(or_(later, and_(Dispute.rung_ends_at == ends_at, Dispute.id > number)))
    rows = session.execute(statement.order_by(Dispute.rung_ends_at, Dispute.id).limit(size + 1)).all()
    page = Page.of(list(rows), size, lambda row: f"{row.rung_ends_at.isoformat()}~{row.id}")
    items = [
        OpenDispute(row.Escrow, Rung(row.rung), row.rung_ends_at, row.seated, None) for row in page.items
    ]
    return Page(items, page.next_cursor)


def _open_ones() -> Select[Escrow, str, datetime]:
    return (
        select(Escrow, Dispute.rung, Dispute.rung_ends_at)
        .join(Escrow, Escrow.id == Dispute.escrow_id)
        .where(Dispute.rung.in_(_LIVE))
    )


def _place(text: str) -> tuple[datetime, int]:
    moment, _, number = text.partition("~")
    ends_at = datetime.fromisoformat(moment)
    if ends_at.tzinfo is None:
        raise ValueError("a moment has its zone")
    return ends_at, int(number)
